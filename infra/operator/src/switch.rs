//! `cargo operator switch`.

use anyhow::{Context, Result, anyhow};
use chrono::SecondsFormat;
use clap::{Args, Subcommand, ValueEnum};
use sharelink_aws::load_config;
use sharelink_aws::share_table::ShareTable;
use sharelink_aws::stored_key::StoredIndexKey;
use sharelink_domain::switches::{Note, Switch, SwitchChange, SwitchedOff, Switches};
use sharelink_runtime::Clock;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Pauses links, and refuses new shares. Nothing is lost: `switch on` makes the same links work again
    Off(Off),
    /// Ends a pause
    On(On),
    /// Lists what is switched off
    List {
        #[command(flatten)]
        deployment: Deployment,
    },
}

#[derive(Args)]
pub(crate) struct Off {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    deployment: Deployment,
    /// Why, for other operators: one line of at most 200 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<Note>,
    /// Your name, for other operators
    #[arg(long, value_name = "NAME", default_value_t = user())]
    by: String,
}

#[derive(Args)]
pub(crate) struct On {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    deployment: Deployment,
}

#[derive(Args)]
pub(crate) struct Deployment {
    /// The deployment's table of shares
    #[arg(long, value_name = "TABLE")]
    table: String,
}

#[derive(Args)]
struct Target {
    /// What to switch
    kind: Kind,
    /// The module's name, the sharer's ID (claim `sub`), or the domain. A domain includes its subdomains
    #[arg(required_if_eq_any([("kind", "module"), ("kind", "sharer"), ("kind", "domain")]))]
    name: Option<String>,
    /// The secret with the deployment's index key, by name or ARN
    #[arg(long, value_name = "SECRET", required_if_eq("kind", "sharer"))]
    index_key: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Everything,
    Module,
    /// All shares that the sharer created, and everything that the sharer would share
    Sharer,
    /// All recipients with an address at the domain
    Domain,
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "operator".to_owned())
}

pub(crate) async fn run(command: Command) -> Result<()> {
    let config = load_config()?;
    let clock = Clock::from_env();
    let (change, table) = match command {
        Command::List { deployment } => {
            let switches = ShareTable::new(&config, deployment.table).read_switches().await?;
            println!("{}", describe(&switches));
            return Ok(());
        }
        Command::Off(Off { target, deployment, reason, by }) => {
            let switch = find_switch(target, &config).await?;
            let by = by.parse().context("--by")?;
            let off = SwitchedOff { switch, by, at: clock.now(), reason };
            (SwitchChange::Off(off), ShareTable::new(&config, deployment.table))
        }
        Command::On(On { target, deployment }) => {
            let switch = find_switch(target, &config).await?;
            (SwitchChange::On(switch), ShareTable::new(&config, deployment.table))
        }
    };
    let switches = table.change_switch(&change).await?;
    println!("{}", describe(&switches));
    eprintln!(
        "in force within 15 seconds; a link that was opened before gives its file for up to 60 seconds"
    );
    Ok(())
}

async fn find_switch(target: Target, config: &sharelink_aws::AwsConfig) -> Result<Switch> {
    // clap requires the name and the key where they are needed.
    let name = target.name.unwrap_or_default();
    Ok(match target.kind {
        Kind::Everything if name.is_empty() => Switch::Everything,
        Kind::Everything => return Err(anyhow!("`everything` needs no name: {name}")),
        Kind::Module => Switch::Module(name.parse().with_context(|| format!("the module {name:?}"))?),
        Kind::Domain => {
            Switch::RecipientDomain(name.parse().with_context(|| format!("the domain {name:?}"))?)
        }
        Kind::Sharer => {
            let key = StoredIndexKey::fetched(config, target.index_key.unwrap_or_default()).await;
            Switch::Sharer(key.get_or_fetch().await?.sharer(&name))
        }
    })
}

/// Describes what is off, one line for each switch.
fn describe(switches: &Switches) -> String {
    if switches.off().is_empty() {
        return "nothing is switched off".to_owned();
    }
    let lines: Vec<String> = switches.off().iter().map(describe_switch).collect();
    lines.join("\n")
}

fn describe_switch(SwitchedOff { switch, by, at, reason }: &SwitchedOff) -> String {
    let what = match switch {
        Switch::Everything => "everything".to_owned(),
        Switch::Module(module) => format!("module {module}"),
        // The key of the hash is needed to know whom it stands for.
        Switch::Sharer(sharer) => format!("sharer with the index hash {sharer}"),
        Switch::RecipientDomain(domain) => format!("domain {}", domain.as_str()),
    };
    let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let reason = reason.as_ref().map(|reason| format!(": {}", reason.as_str())).unwrap_or_default();
    format!("off since {at}: {what}, by {}{reason}", by.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(switch: Switch, reason: Option<&str>) -> SwitchedOff {
        let reason = reason.map(|reason| reason.parse().unwrap());
        SwitchedOff {
            switch,
            by: "olga".parse().unwrap(),
            at: "2030-03-10T12:00:00Z".parse().unwrap(),
            reason,
        }
    }

    #[test]
    fn list_has_a_line_for_each_switch() {
        let switches = Switches::new(vec![
            off(Switch::Everything, None),
            off(Switch::Module("jobs".parse().unwrap()), Some("incident 7")),
            off(Switch::RecipientDomain("bücher.example".parse().unwrap()), None),
        ]);
        assert_eq!(
            describe(&switches),
            "off since 2030-03-10T12:00:00Z: everything, by olga\n\
             off since 2030-03-10T12:00:00Z: module jobs, by olga: incident 7\n\
             off since 2030-03-10T12:00:00Z: domain xn--bcher-kva.example, by olga"
        );
        assert_eq!(describe(&Switches::default()), "nothing is switched off");
    }
}
