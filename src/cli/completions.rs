//! `completions`: made from the same definition as the help.

use clap::Args;
use clap_complete::Shell;
use serde_json::json;

use super::output::Out;
use super::{Answer, Outcome, help};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut help::spoken(), "civicum-tune", &mut text);
        // Its generator for bash sets one name for a program with a hyphen, and asks for another (clap_complete 4.6).
        let text = String::from_utf8_lossy(&text).replace("civicum__subcmd__tune", "civicum__tune");
        if out.json {
            let shell = self.shell.to_string();
            out.document(&json!({ "schema": "civicum-tune/completions/1", "shell": shell, "text": text }));
        } else {
            out.data(&text);
        }
        Ok(Answer::Yes)
    }
}
