//! The switches by which operators pause sharing: one row, which functions can only read.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use sharelink_domain::RecipientDomain;
use sharelink_domain::ids::IdError;
use sharelink_domain::switches::{Note, Switch, SwitchChange, SwitchedOff, Switches, TooManySwitches};

use super::record::{DecodeError, decode_time};
use super::{Attributes, SERVICE, ShareTable, number};
use crate::{AwsError, ChangeError, InternalError};

/// The partition key and the sort key of the row.
const KEY: &str = "SWITCHES";

/// The row.
#[derive(Deserialize, Serialize)]
struct SwitchesRecord {
    item: String,
    entry: String,
    /// Counts the changes, so that concurrent changes do not overwrite each other.
    version: u64,
    off: Vec<StoredSwitchedOff>,
}

/// The stored form of a [`SwitchedOff`].
#[derive(Deserialize, Serialize)]
struct StoredSwitchedOff {
    #[serde(flatten)]
    switch: StoredSwitch,
    by: String,
    /// In milliseconds since 1970.
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The stored form of a [`Switch`].
#[derive(Deserialize, Serialize)]
#[serde(tag = "of", content = "name", rename_all = "camelCase")]
enum StoredSwitch {
    Everything,
    Module(String),
    Sharer(String),
    Domain(String),
}

/// The number of switches that are off in a backup, and on in the table itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CopiedSwitches {
    pub(super) copied: u64,
    /// Those not copied, because the table has switches.
    pub(super) left: u64,
}

impl From<&SwitchedOff> for StoredSwitchedOff {
    fn from(SwitchedOff { switch, by, at, reason }: &SwitchedOff) -> Self {
        let switch = match switch {
            Switch::Everything => StoredSwitch::Everything,
            Switch::Module(module) => StoredSwitch::Module(module.to_string()),
            Switch::Sharer(sharer) => StoredSwitch::Sharer(sharer.to_string()),
            Switch::RecipientDomain(domain) => StoredSwitch::Domain(domain.as_str().to_owned()),
        };
        let reason = reason.as_ref().map(|reason| reason.as_str().to_owned());
        Self { switch, by: by.as_str().to_owned(), at: at.timestamp_millis(), reason }
    }
}

impl StoredSwitchedOff {
    fn decode(self) -> Result<SwitchedOff, DecodeError> {
        let invalid = || DecodeError("off");
        let switch = match self.switch {
            StoredSwitch::Everything => Switch::Everything,
            StoredSwitch::Module(module) => Switch::Module(module.parse().map_err(|_| invalid())?),
            StoredSwitch::Sharer(sharer) => Switch::Sharer(sharer.parse().map_err(|_: IdError| invalid())?),
            StoredSwitch::Domain(domain) => {
                Switch::RecipientDomain(domain.parse::<RecipientDomain>().map_err(|_| invalid())?)
            }
        };
        let note = |text: String| text.parse::<Note>().map_err(|_| invalid());
        let reason = self.reason.map(note).transpose()?;
        Ok(SwitchedOff { switch, by: note(self.by)?, at: decode_time(self.at, "off")?, reason })
    }
}

impl SwitchesRecord {
    fn new(version: u64, switches: &Switches) -> Self {
        let off = switches.off().iter().map(StoredSwitchedOff::from).collect();
        Self { item: KEY.to_owned(), entry: KEY.to_owned(), version, off }
    }

    /// Parses the row, which does not exist before the first change.
    fn parse(row: Option<Attributes>) -> Result<(u64, Switches), DecodeError> {
        let Some(attributes) = row else { return Ok((0, Switches::default())) };
        let record: Self = serde_dynamo::from_item(attributes).map_err(|_| DecodeError("switches"))?;
        let off = record.off.into_iter().map(StoredSwitchedOff::decode).collect::<Result<_, _>>()?;
        Ok((record.version, Switches::new(off)))
    }

    fn into_attributes(self) -> Result<Attributes, InternalError> {
        serde_dynamo::to_item(self).map_err(|_| InternalError::Encoding("the switches"))
    }
}

impl ShareTable {
    /// Reads the switches. The read is strongly consistent, so it shows every change that was made before it.
    pub async fn read_switches(&self) -> Result<Switches, AwsError> {
        Ok(self.read_switches_record().await?.1)
    }

    /// Makes a change, unless it is already made. Returns the switches after it.
    ///
    /// If another operator changes a switch at the same time, both changes take effect.
    pub async fn change_switch(
        &self,
        change: &SwitchChange,
    ) -> Result<Switches, ChangeError<TooManySwitches>> {
        loop {
            let (version, current) = self.read_switches_record().await?;
            let Some(changed) = current.changed(change).map_err(ChangeError::Refused)? else {
                return Ok(current);
            };
            let record = SwitchesRecord::new(version + 1, &changed);
            let put = self
                .client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(record.into_attributes().map_err(crate::Error::from)?))
                .condition_expression("attribute_not_exists(entry) OR #version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(&version))
                .send()
                .await;
            match put {
                Ok(_) => return Ok(changed),
                // Another change came first, or a lost response hid that this one was made.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(PutItemError::is_conditional_check_failed_exception) => {}
                Err(error) => return Err(AwsError::new(SERVICE, &error).into()),
            }
        }
    }

    /// Copies the switches of this backup to the table, unless the table has switches: an operator may have
    /// changed those since. Fails if the row appears at the same time; the copy can then be repeated.
    pub(super) async fn copy_switches_to(
        &self,
        table: &Self,
        is_dry_run: bool,
    ) -> Result<CopiedSwitches, crate::Error> {
        let (version, switches) = self.read_switches_record().await?;
        let (live_version, live) = table.read_switches_record().await?;
        let off = switches.off();
        if version == 0 {
            return Ok(CopiedSwitches::default());
        }
        if live_version == 0 {
            if !is_dry_run {
                let row = SwitchesRecord::new(version, &switches).into_attributes()?;
                let put = table.client.put_item().table_name(&table.name).set_item(Some(row));
                let put = put.condition_expression("attribute_not_exists(entry)").send().await;
                put.map_err(|error| AwsError::new(SERVICE, &error))?;
            }
            return Ok(CopiedSwitches { copied: off.len() as u64, left: 0 });
        }
        let is_left = |off: &&SwitchedOff| !live.off().iter().any(|live| live.switch == off.switch);
        Ok(CopiedSwitches { copied: 0, left: off.iter().filter(is_left).count() as u64 })
    }

    async fn read_switches_record(&self) -> Result<(u64, Switches), AwsError> {
        let key = || AttributeValue::S(KEY.to_owned());
        let get = self.client.get_item().table_name(&self.name).key("item", key()).key("entry", key());
        let response = get.consistent_read(true).send().await.map_err(|e| AwsError::new(SERVICE, &e))?;
        Ok(SwitchesRecord::parse(response.item)?)
    }
}

#[cfg(test)]
mod tests {
    use sharelink_domain::index_key::SharerKey;
    use sharelink_domain::testing::{NOW, time};

    use super::*;

    fn off(switch: Switch, reason: Option<&str>) -> SwitchedOff {
        let reason = reason.map(|reason| reason.parse().unwrap());
        SwitchedOff { switch, by: "olga".parse().unwrap(), at: time(NOW), reason }
    }

    /// Golden vector. Never edit it: an operator's switches must outlive a deployment.
    #[test]
    fn row_is_frozen() {
        let switches = Switches::new(vec![
            off(Switch::Everything, None),
            off(Switch::Module("jobs".parse().unwrap()), Some("incident 7")),
            off(Switch::Sharer(SharerKey::from_bytes([1; 16])), None),
            off(Switch::RecipientDomain("bücher.example".parse().unwrap()), None),
        ]);
        let row = SwitchesRecord::new(4, &switches).into_attributes().unwrap();
        let json: serde_json::Value = serde_dynamo::from_item(row.clone()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "item": "SWITCHES", "entry": "SWITCHES", "version": 4,
                "off": [
                    {"of": "everything", "by": "olga", "at": 1_773_144_000_000_i64},
                    {"of": "module", "name": "jobs", "by": "olga", "at": 1_773_144_000_000_i64,
                     "reason": "incident 7"},
                    {"of": "sharer", "name": "01010101010101010101010101010101", "by": "olga",
                     "at": 1_773_144_000_000_i64},
                    {"of": "domain", "name": "xn--bcher-kva.example", "by": "olga",
                     "at": 1_773_144_000_000_i64},
                ],
            })
        );
        assert_eq!(SwitchesRecord::parse(Some(row)), Ok((4, switches)));
    }

    #[test]
    fn missing_row_means_that_nothing_is_off() {
        assert_eq!(SwitchesRecord::parse(None), Ok((0, Switches::default())));
    }

    #[test]
    fn unreadable_row_is_an_error() {
        for switch in [
            serde_json::json!({"of": "unknown", "name": "x"}),
            serde_json::json!({"of": "module", "name": "a/b"}),
            serde_json::json!({"of": "sharer", "name": "x"}),
            serde_json::json!({"of": "domain", "name": "@"}),
        ] {
            let mut entry = switch.clone();
            entry["by"] = "olga".into();
            entry["at"] = 0.into();
            let row = serde_json::json!({"item": KEY, "entry": KEY, "version": 1, "off": [entry]});
            let row: Attributes = serde_dynamo::to_item(row).unwrap();
            assert!(SwitchesRecord::parse(Some(row)).is_err(), "{switch}");
        }
    }
}
