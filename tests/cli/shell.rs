//! Help, completions and the manual page.

use crate::predict::{relucert, text};
use std::path::Path;

fn say(arguments: &[&str]) -> String {
    let output = relucert(Path::new("."), arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The subcommands that the help lists.
fn commands() -> Vec<String> {
    let help = say(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let rows = list.lines().take_while(|line| !line.is_empty());
    rows.filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(String::from)
        .collect()
}

#[test]
fn every_command_has_two_examples_that_name_it() {
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        let help = say(&[&command, "--help"]);
        let (_, examples) =
            help.split_once("Examples:\n").unwrap_or_else(|| panic!("{command} has no examples"));
        let count = examples
            .lines()
            .filter(|line| {
                line.contains(&format!("relucert {command} "))
                    || line.contains(&format!("relucert {command}"))
            })
            .count();
        assert!(count >= 2, "{command}: {examples}");
    }
}

#[test]
fn completions_and_manual_know_every_command_and_option() {
    for shell in ["bash", "zsh", "fish"] {
        let script = say(&["completions", shell]);
        for word in ["certify", "predict", "standardize", "time-limit"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let manual = say(&["man"]);
    assert!(manual.contains(".TH relucert 1"), "{}", &manual[..200]);
    for command in commands() {
        assert!(manual.contains(&format!("RELUCERT {}", command.to_uppercase())), "{command}");
    }
    assert!(manual.contains("\\-\\-standardize") && manual.contains("EXAMPLES"));
}

#[test]
fn the_version_names_the_revision_where_it_is_known() {
    let version = say(&["--version"]);
    let revision = option_env!("RELUCERT_BUILT_FROM");
    assert!(version.starts_with(&format!("relucert {}", env!("CARGO_PKG_VERSION"))), "{version}");
    assert_eq!(version.contains('('), revision.is_some());
    assert!(version.contains(revision.unwrap_or_default()), "{version}");
}
