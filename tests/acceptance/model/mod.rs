//! Model test for the share table: runs random histories in which several actors work concurrently.
//!
//! Concurrent operations must be linearizable: there must be an order in which the reference model, running
//! them one at a time, returns the same responses as the table and ends in the same state. Some operations
//! are retried with the same write id, as an SDK or a client does after a lost response.

mod history;
mod operations;
mod reference;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use history::History;
use operations::{ACTORS, Operation, Step};

type Time = DateTime<Utc>;

/// One round of a history: time passes, and then several operations run concurrently.
#[derive(Clone)]
struct Round {
    delay: TimeDelta,
    steps: Vec<Step>,
}

/// Prints one line even when proptest pretty-prints, so that a failed history fits in a log.
impl fmt::Debug for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}: {:?}", self.delay, self.steps)
    }
}

/// Generates histories. Any operation can follow any other, so the generator needs no state.
struct Histories;

impl ReferenceStateMachine for Histories {
    type State = ();
    type Transition = Round;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Round> {
        let life = prop::sample::select(vec![
            TimeDelta::hours(-3),
            TimeDelta::zero(),
            TimeDelta::milliseconds(500),
            TimeDelta::minutes(10),
            TimeDelta::days(2),
            TimeDelta::days(60),
        ]);
        let behind = prop::sample::select(vec![Some(0), Some(0), Some(1), None]);
        let operation = prop_oneof![
            3 => life.clone().prop_map(|life| Operation::Create { life }),
            4 => (life.clone(), behind.clone())
                .prop_map(|(life, behind)| Operation::Change { life, behind }),
            3 => (any::<bool>(), prop::option::of(life), behind)
                .prop_map(|(notify, life, behind)| Operation::Renew { notify, life, behind }),
            2 => Just(Operation::Revoke),
            2 => Just(Operation::Resend),
            3 => Just(Operation::Send),
            3 => (prop::sample::select(vec![0_usize, 0, 0, 1, 2]), any::<bool>())
                .prop_map(|(ago, is_available)| Operation::Open { ago, is_available }),
            1 => Just(Operation::Purge),
        ];
        // Most steps apply to the same share, so that they conflict.
        let recipient = prop::sample::select(vec![0_usize, 0, 0, 1]);
        let step = (recipient, 0..ACTORS.len(), operation, prop::bool::weighted(0.2)).prop_map(
            |(recipient, actor, operation, is_retry)| Step { recipient, actor, operation, is_retry },
        );
        let delay = prop::sample::select(vec![
            TimeDelta::zero(),
            TimeDelta::zero(),
            TimeDelta::milliseconds(1),
            TimeDelta::minutes(3),
            TimeDelta::minutes(11),
            TimeDelta::days(1),
            TimeDelta::days(31),
        ]);
        (delay, prop::collection::vec(step, 1..5)).prop_map(|(delay, steps)| Round { delay, steps }).boxed()
    }

    fn apply((): (), _: &Round) {}
}

struct TableMatchesModel;

impl StateMachineTest for TableMatchesModel {
    type SystemUnderTest = History;
    type Reference = Histories;

    fn init_test((): &()) -> History {
        History::new()
    }

    fn apply(mut history: History, (): &(), round: Round) -> History {
        history.run_blocking(round);
        history
    }
}

/// Returns the test's configuration. `PROPTEST_CASES` sets the number of histories; the default of 48 takes
/// about 15 seconds.
fn config() -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 48 };
    Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() }
}

prop_state_machine! {
    #![proptest_config(config())]
    #[test]
    fn table_behaves_like_the_model(sequential 1..25 => TableMatchesModel);
}
