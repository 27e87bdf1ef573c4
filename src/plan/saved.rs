//! A plan on paper: `plan --out FILE` writes it, `apply FILE` carries out exactly that or refuses.

use crate::t;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::host::sha256_hex;
use crate::profile::Settings;

/// The version of the format.
const SCHEMA: &str = "civicum-tune/saved-plan/1";

/// A plan with all that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    schema: String,
    /// What was planned.
    pub plan: Plan,
    /// What was wanted, every rule evaluated.
    pub settings: Settings,
    /// The text that goes into the host's own profile.
    pub remember: Option<String>,
    /// Everything that the plan saw: path to SHA-256.
    pub saw: BTreeMap<String, String>,
    /// Over all of the above; a plan that was edited is no plan.
    hash: String,
}

/// Why a saved plan is not carried out.
#[derive(Debug)]
pub enum SavedPlanError {
    /// It is not one.
    NotAPlan(String),
    /// It was changed after it was written.
    Edited,
    /// The host is not what it was.
    HostMoved(Vec<String>),
}

impl fmt::Display for SavedPlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::NotAPlan(why) => t!("it is no plan of `civicum-tune plan --out`: {why}", why = why),
            Self::Edited => t!(
                "it was changed after it was written (its hash does not fit); make a new one with `civicum-tune plan --out FILE`"
            ),
            Self::HostMoved(what) => t!(
                "the host has changed since the plan was made:\n{what}\nmake a new one with `civicum-tune plan --out FILE`, and read it",
                what = what.join("\n")
            ),
        })
    }
}

impl std::error::Error for SavedPlanError {}

impl SavedPlan {
    /// Binds a plan to what it saw.
    pub fn new(
        plan: Plan,
        settings: Settings,
        remember: Option<String>,
        saw: BTreeMap<String, String>,
    ) -> Self {
        let mut saved =
            Self { schema: SCHEMA.to_owned(), plan, settings, remember, saw, hash: String::new() };
        saved.hash = saved.compute_hash();
        saved
    }

    /// As it is written to the file.
    pub fn to_json(&self) -> String {
        // The types hold nothing that JSON can't: no float that is not finite, no key that is not a string.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads one and makes sure that it is whole.
    pub fn from_json(text: &[u8]) -> Result<Self, SavedPlanError> {
        let saved: Self = serde_json::from_slice(text).map_err(|e| {
            SavedPlanError::NotAPlan(if e.is_data() {
                e.to_string()
            } else {
                t!(
                    "it can't be read as JSON (line {line}, column {column})",
                    line = e.line(),
                    column = e.column()
                )
            })
        })?;
        if saved.schema != SCHEMA {
            return Err(SavedPlanError::NotAPlan(t!(
                "its schema is `{schema}`, not `{wanted}`",
                schema = saved.schema,
                wanted = SCHEMA
            )));
        }
        if saved.hash != saved.compute_hash() {
            return Err(SavedPlanError::Edited);
        }
        Ok(saved)
    }

    /// Compares with a plan made just now from the same settings: it is carried out only if not one change differs.
    pub fn still_holds(&self, now: &Plan, saw: &BTreeMap<String, String>) -> Result<(), SavedPlanError> {
        let mut moved: Vec<String> = self
            .saw
            .iter()
            .filter(|(path, hash)| saw.get(*path).is_some_and(|current| current != *hash))
            .map(|(path, hash)| match (hash.as_str(), saw.get(path).map(String::as_str)) {
                ("absent", _) => t!("  {path} is there now", path = path),
                (_, Some("absent")) => t!("  {path} is gone", path = path),
                _ => t!("  {path} has another content", path = path),
            })
            .collect();
        moved.extend(
            saw.keys()
                .filter(|path| !self.saw.contains_key(*path))
                .map(|path| t!("  {path} is new", path = path)),
        );
        // What is done counts; the words around it may be in another language.
        let acts = |plan: &Plan| plan.changes.iter().map(|change| change.act.clone()).collect::<Vec<_>>();
        if moved.is_empty() && acts(&self.plan) != acts(now) {
            moved.push(t!("  the changes that are needed are not the same any more"));
        }
        // Rules were sized for so much memory and so many CPUs. The words around the figures may be in another language.
        let figures = |plan: &Plan| -> Vec<String> {
            plan.host.split(|c: char| !c.is_ascii_digit()).map(str::to_owned).collect()
        };
        if moved.is_empty() && figures(&self.plan) != figures(now) {
            moved.push(t!("  it was {before}, and is {after}", before = self.plan.host, after = now.host));
        }
        if moved.is_empty() { Ok(()) } else { Err(SavedPlanError::HostMoved(moved)) }
    }

    fn compute_hash(&self) -> String {
        let parts = (&self.schema, &self.plan, &self.settings, &self.remember, &self.saw);
        sha256_hex(&serde_json::to_vec(&parts).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> SavedPlan {
        let saw = BTreeMap::from([("/etc/fstab".to_owned(), "00".to_owned())]);
        SavedPlan::new(Plan { profile: "p".into(), ..Plan::default() }, Settings::default(), None, saw)
    }

    #[test]
    fn reads_back_and_notices_every_edit() {
        let text = saved().to_json();
        assert_eq!(SavedPlan::from_json(text.as_bytes()).unwrap(), saved());
        let edited = text.replace("\"profile\": \"p\"", "\"profile\": \"q\"");
        assert!(matches!(SavedPlan::from_json(edited.as_bytes()), Err(SavedPlanError::Edited)));
        assert!(matches!(SavedPlan::from_json(b"[]"), Err(SavedPlanError::NotAPlan(_))));
    }

    #[test]
    fn names_what_moved() {
        let now = saved();
        assert!(now.still_holds(&now.plan, &now.saw).is_ok());
        let saw = BTreeMap::from([("/etc/fstab".to_owned(), "absent".to_owned())]);
        let said = saved().still_holds(&now.plan, &saw).unwrap_err().to_string();
        assert!(said.contains("/etc/fstab is gone"), "{said}");
    }
}
