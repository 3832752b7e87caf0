//! `relucert completions` and `relucert man`.

use super::arguments::{Arguments, CompletionsOptions, ManOptions};
use super::{SUCCESS, print};
use clap::CommandFactory;
use relucert::{Error, Result};

pub(super) fn completions(options: &CompletionsOptions) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "relucert", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(SUCCESS)
}

/// One page: the program, then every command with its options.
pub(super) fn man(_: &ManOptions) -> Result<u8> {
    let failed = |source| Error::Io { path: "standard output".into(), source };
    let mut program = Arguments::command();
    program.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(program.clone()).render(&mut text).map_err(failed)?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let page = clap_mangen::Man::new(command.clone());
        let title = format!(".SH \"RELUCERT {}\"\n", command.get_name().to_uppercase());
        text.extend(title.into_bytes());
        page.render_description_section(&mut text).map_err(failed)?;
        page.render_options_section(&mut text).map_err(failed)?;
        if let Some(examples) = command.get_after_help() {
            text.extend(b".SS EXAMPLES\n.nf\n");
            text.extend(examples.to_string().replace('\\', "\\e").into_bytes());
            text.extend(b"\n.fi\n");
        }
    }
    // Sections of a command are parts of its own.
    let text = String::from_utf8_lossy(&text).replace(".SH DESCRIPTION\n", ".SS DESCRIPTION\n");
    print(&text)?;
    Ok(SUCCESS)
}
