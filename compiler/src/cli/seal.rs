//! `bindery seal`. The password comes from standard input and is never an argument: arguments are in the process list
//! and in the shell's history.

use std::fs;
use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use bindery_compiler::diagnostic::Code;
use bindery_compiler::diagnostic::render::shown;
use bindery_compiler::edit::{self, Object};
use bindery_compiler::seal;
use bindery_compiler::source::{self, Content, Loaded};
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use clap::Args;
use zeroize::Zeroizing;

use super::{Outcome, note, write_whole};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery seal --operator ke-safaricom-1 --write     type the password, or paste it
  pass carriers/safaricom | bindery seal --operator ke-safaricom-1 --write --password-stdin

Recipients are spec.secrets.recipients of policy.yaml.")]
pub(super) struct Arguments {
    /// Operator the password belongs to; it opens for no other
    #[arg(long, value_name = "ID")]
    operator: OperatorId,
    /// Put the sealed password into the operator's file instead of printing it
    #[arg(long)]
    write: bool,
    /// Read the password from standard input without asking
    #[arg(long)]
    password_stdin: bool,
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let id = &arguments.operator;
    let files = source::load_directory(repo)?;
    let recipients = seal::recipients(&files);
    // Before the password is asked for, not after.
    if recipients.is_empty() {
        return Err(seal::Error::NoRecipients.into());
    }
    let defines =
        |file: &&Loaded| matches!(&file.content, Content::Text(text) if edit::defines(text, &Object::Operator(id)));
    let Some(file) = files.iter().find(defines) else {
        bail!("no file defines the operator `{id}`");
    };
    let password = read_password(id, arguments.password_stdin)?;
    if password.expose().len() > seal::LONGEST_PASSWORD {
        let code = Code::LongPasswordLimit;
        let (octets, most) = (password.expose().len(), seal::LONGEST_PASSWORD);
        note(&format!("warning {code} {}: the password has {octets} octets, SMPP 3.4 allows {most}", code.name()));
    }
    let sealed = seal::seal(id, &password, &recipients)?;
    if arguments.write {
        let path = repo.join(&*file.path);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = edit::set_sealed(&text, id, &sealed).with_context(|| shown(&file.path).into_owned())?;
        // The link's target, where the file is a link: a rename over the link would replace it.
        write_whole(&path.canonicalize()?, &text)?;
        writeln!(out, "sealed the password of {id} in {}", shown(&file.path))?;
    } else {
        out.write_all(sealed.as_bytes())?;
    }
    Ok(Outcome::Clean)
}

/// The first line of standard input.
fn read_password(operator: &OperatorId, quiet: bool) -> anyhow::Result<Secret> {
    let mut input = std::io::stdin().lock();
    if !quiet {
        if input.is_terminal() {
            note("The terminal shows what you type. To avoid that, pipe the password in with --password-stdin.");
        }
        note(&format!("Password of {operator}, then Enter:"));
    }
    let mut line = Zeroizing::new(String::with_capacity(256));
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(Secret::new(password))
}
