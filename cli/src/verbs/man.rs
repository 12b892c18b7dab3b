//! `moorline man`: manual pages, made from the same declaration as the command line itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::completions::write_out;
use crate::exit::{Code, Failure, Result};

/// Print the manual page of the program or of a verb
///
/// For example: `moorline man | man -l -`, or `moorline man --into ~/.local/share/man/man1` for all pages.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The verb; the program as a whole if it is left out
    verb: Option<String>,

    /// Write the pages of the program and of all verbs into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    into: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<Code> {
    let pages = pages().map_err(|error| Failure::new(Code::Failure, format!("cannot make the manual: {error}")))?;
    if let Some(folder) = &args.into {
        return write_into(folder, &pages);
    }
    let wanted = match &args.verb {
        Some(verb) => format!("moorline-{verb}.1"),
        None => "moorline.1".to_owned(),
    };
    match pages.iter().find(|page| page.file == wanted) {
        Some(page) => write_out(&page.text),
        None => {
            Err(Failure::new(Code::Usage, "there is no manual page for that verb")
                .hint("`moorline help` lists the verbs."))
        }
    }
}

struct Page {
    file: String,
    text: Vec<u8>,
}

fn write_into(folder: &Path, pages: &[Page]) -> Result<Code> {
    fs::create_dir_all(folder).map_err(|error| Failure::disk("create the folder", folder, &error))?;
    for page in pages {
        let path = folder.join(&page.file);
        fs::write(&path, &page.text).map_err(|error| Failure::disk("write", &path, &error))?;
    }
    Ok(Code::Success)
}

/// The program's page, then one a verb.
fn pages() -> io::Result<Vec<Page>> {
    // The tables of the long help become sections of their own.
    let mut root = crate::args::command().after_long_help("").disable_help_subcommand(true);
    root.build();
    let mut pages = vec![page(&root)?];
    for verb in root.get_subcommands() {
        pages.push(page(verb)?);
    }
    Ok(pages)
}

fn page(command: &clap::Command) -> io::Result<Page> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    if command.get_after_long_help().is_some_and(|help| !help.to_string().is_empty()) {
        man.render_extra_section(&mut text)?;
    }
    common_sections().to_writer(&mut text)?;
    man.render_version_section(&mut text)?;
    Ok(Page { file: man.get_filename(), text })
}

fn common_sections() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in Code::ALL {
        roff.control("TP", []);
        roff.text([bold(code.number().to_string())]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in crate::args::ENVIRONMENT {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_a_verb_with_exit_codes() {
        let pages = pages().expect("renders");
        let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
        assert_eq!(files[..3], ["moorline.1", "moorline-share.1", "moorline-list.1"]);
        assert_eq!(files.len(), 11);
        for page in &pages {
            let text = String::from_utf8_lossy(&page.text);
            assert!(text.contains("EXIT STATUS") && text.contains("130"), "{}", page.file);
            assert!(text.contains("MOORLINE\\_HOME") || text.contains("MOORLINE_HOME"), "{}", page.file);
        }
    }
}
