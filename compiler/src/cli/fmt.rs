//! `bindery fmt`: the canonical form, written or checked.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bindery_compiler::diagnostic::render::shown;
use bindery_compiler::format::Unformatted;
use bindery_compiler::source::{Content, Loaded};
use bindery_compiler::{format, source};
use clap::Args;

use super::{Outcome, note, whole};

/// Stands for standard input, as editors call a formatter.
const STDIN: &str = "-";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bindery fmt                            all configuration files
  bindery fmt --check                    say which would change, and fail if any would
  bindery fmt operators/ke-safaricom     those below a folder
  bindery fmt operators/ke-safaricom/mno.yaml
  bindery fmt - < a.yaml                 from standard input to standard output

Keys in the order of the schema, two spaces a level, quotes around what some YAML reader takes for a number, a date or \
a boolean. Values and comments stay.
Left alone, and said so, is a file with an anchor, an alias, a tag, a directive, `...`, content behind `---`, a block \
scalar with an indicator (`|2`, `>+`), a document that is no mapping, a list right within a list, a key that is no text \
on one line, or a comment that would not stay where it belongs, such as one within a value.

Exit code: 1 where --check found something to format, or where a file that was named is no sound YAML; else 0.")]
pub(super) struct Arguments {
    /// Files and folders, from the current folder; without any, all configuration files
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Write nothing; list what would change
    #[arg(long)]
    check: bool,
}

/// A file to bring into form.
struct Chosen {
    path: PathBuf,
    /// Whether the command line names it: then it has to be one that can be read.
    named: bool,
}

/// What there is to do to a file.
enum Form {
    Same,
    Other(String),
    /// It has no canonical form.
    LeftAlone(String),
    /// It is no YAML at all.
    Unsound(String),
}

pub(super) fn run(repo: &Path, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if let [only] = &*arguments.files
        && only.as_os_str() == STDIN
    {
        return standard_input(arguments.check, out);
    }
    let mut left = 0;
    let files = chosen(repo, &arguments.files, &mut left)?;
    let (mut writes, mut told, mut seen) = (Vec::new(), String::new(), BTreeSet::new());
    let (mut same, mut unsound) = (0, 0);
    for Chosen { path, named } in files {
        // The link's target, where the file is a link: a rename over the link would replace it.
        let target = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
        if !seen.insert(target.clone()) {
            continue;
        }
        match form(&path)? {
            Form::Same => same += 1,
            Form::Other(text) => {
                let verb = if arguments.check { "would format" } else { "formatted" };
                told.push_str(&format!("{verb} {}\n", name(&path)));
                writes.push((target, text));
            }
            Form::Unsound(reason) if named => {
                note(&format!("error: {}: {reason}", name(&path)));
                unsound += 1;
            }
            Form::LeftAlone(reason) | Form::Unsound(reason) => {
                note(&format!("note: {} is left alone: {reason}", name(&path)));
                left += 1;
            }
        }
    }
    let changed = writes.len();
    if !arguments.check {
        whole::write_all(&writes)?;
    }
    let verb = if arguments.check { "to format" } else { "formatted" };
    let no_yaml = if unsound > 0 { format!(", {unsound} no sound YAML") } else { String::new() };
    told.push_str(&format!("{changed} {verb}, {same} as they should be, {left} left alone{no_yaml}\n"));
    out.write_all(told.as_bytes())?;
    Ok(if arguments.check && changed > 0 || unsound > 0 { Outcome::Findings } else { Outcome::Clean })
}

/// The files that are meant: those named and the configuration below folders that are, or all configuration.
fn chosen(repo: &Path, named: &[PathBuf], left: &mut usize) -> anyhow::Result<Vec<Chosen>> {
    if named.is_empty() {
        return configuration(repo, None, left);
    }
    let mut chosen = Vec::new();
    for path in named {
        if path.is_dir() {
            let below = configuration(repo, Some(path), left)?;
            if below.is_empty() {
                let (folder, repo) = (path.display(), repo.display());
                bail!("{folder} holds no configuration file of the repository {repo}; --repo names another");
            }
            chosen.extend(below);
        } else {
            chosen.push(Chosen { path: path.clone(), named: true });
        }
    }
    Ok(chosen)
}

/// The configuration files of a repository, or those of them below a folder, as `check` finds them.
fn configuration(repo: &Path, folder: Option<&Path>, left: &mut usize) -> anyhow::Result<Vec<Chosen>> {
    let real = |path: &Path| path.canonicalize().with_context(|| format!("cannot read {}", path.display()));
    let (root, folder) = (real(repo)?, folder.map(real).transpose()?);
    let mut chosen = Vec::new();
    for Loaded { path, content, .. } in source::load_directory(repo)? {
        // Which folder a file is in does not hang on where it leads, if it is a link.
        if folder.as_ref().is_some_and(|folder| !root.join(&*path).starts_with(folder)) {
            continue;
        }
        let path = repo.join(&*path);
        // A link may lead to what is none of the tree's files.
        if matches!(content, Content::Unreadable { .. }) {
            note(&format!("note: {} is left alone: `bindery check` says why", name(&path)));
            *left += 1;
        } else {
            chosen.push(Chosen { path, named: false });
        }
    }
    Ok(chosen)
}

/// The form of a file.
fn form(path: &Path) -> anyhow::Result<Form> {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if !is_yaml {
        return Ok(Form::Unsound("its name does not end in .yaml or .yml".to_owned()));
    }
    let text = match read(path)? {
        Ok(text) => text,
        Err(reason) => return Ok(Form::Unsound(reason)),
    };
    Ok(match format::format(&text) {
        Err(reason @ Unformatted::Broken { .. }) => Form::Unsound(reason.to_string()),
        Err(reason) => Form::LeftAlone(reason.to_string()),
        Ok(formatted) if formatted == text => Form::Same,
        Ok(formatted) => Form::Other(formatted),
    })
}

/// The name of a file in a line for people.
fn name(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

/// The text of a file, or why it has none.
fn read(path: &Path) -> anyhow::Result<Result<String, String>> {
    let unreadable = || format!("cannot read {}", path.display());
    let metadata = fs::metadata(path).with_context(unreadable)?;
    if !metadata.is_file() {
        return Ok(Err("it is a pipe, a socket or a device".to_owned()));
    }
    if metadata.len() > source::LARGEST_FILE {
        return Ok(Err(format!(
            "it has {} bytes, more than the {} bindery reads",
            metadata.len(),
            source::LARGEST_FILE
        )));
    }
    Ok(String::from_utf8(fs::read(path).with_context(unreadable)?).map_err(|_| "it is not UTF-8".to_owned()))
}

fn standard_input(check: bool, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).context("cannot read standard input")?;
    // Without a result an editor would empty its buffer.
    let formatted = format::format(&text).map_err(anyhow::Error::new).context("standard input is left alone")?;
    if check {
        return Ok(if formatted == text { Outcome::Clean } else { Outcome::Findings });
    }
    out.write_all(formatted.as_bytes())?;
    Ok(Outcome::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "a: 1\n";
    const LOOSE: &str = "a:   1\n";

    /// Formats what is named in a repository with these files; whether all was well, or the error, and what was printed.
    fn fmt(files: &[(&str, &str)], named: &[&str], check: bool) -> (tempfile::TempDir, anyhow::Result<bool>, String) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = named.iter().map(|path| folder.path().join(path)).collect();
        let mut out = Vec::new();
        let done = run(folder.path(), &Arguments { files, check }, &mut out);
        (folder, done.map(|outcome| matches!(outcome, Outcome::Clean)), String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_folder_stands_for_the_configuration_in_it() {
        let files = [
            ("operators/a/one.yaml", LOOSE),
            ("operators/a/two.yml", SOUND),
            ("operators/a/notes.md", "no: [yaml"),
            ("operators/b/other.yaml", LOOSE),
            (".github/workflows/bindery.yaml", LOOSE),
        ];
        for (named, expected) in [("operators/a", 1), ("operators", 2), (".", 2)] {
            let (_, clean, out) = fmt(&files, &[named], true);
            assert!(!clean.unwrap(), "{out}");
            let same = "1 as they should be, 0 left alone\n";
            assert!(out.ends_with(&format!("{expected} to format, {same}")), "{named}: {out}");
        }
        let (folder, clean, out) = fmt(&files, &["operators/a", "operators/a/one.yaml"], false);
        assert!(clean.unwrap() && out.ends_with("1 formatted, 1 as they should be, 0 left alone\n"), "{out}");
        let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!((read("operators/a/one.yaml"), read("operators/b/other.yaml")), (SOUND.into(), LOOSE.into()));
        let error = fmt(&files, &[".github"], true).1.unwrap_err();
        assert!(error.to_string().contains("no configuration file"), "{error}");
    }

    #[test]
    fn a_named_file_that_is_no_yaml_is_an_error_and_keeps_no_other_back() {
        let files = [("operators/broken.yaml", "a: [\n"), ("operators/x.txt", SOUND), ("operators/b.yaml", LOOSE)];
        let (folder, clean, out) = fmt(&files, &files.map(|(path, _)| path), false);
        assert!(!clean.unwrap() && out.ends_with("0 left alone, 2 no sound YAML\n"), "{out}");
        assert_eq!(fs::read_to_string(folder.path().join("operators/b.yaml")).unwrap(), SOUND);
        let (_, clean, out) = fmt(&files, &[], false);
        assert!(clean.unwrap() && out.ends_with("1 formatted, 0 as they should be, 1 left alone\n"), "{out}");
    }

    #[test]
    fn output_that_goes_away_leaves_no_file_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("operators")).unwrap();
        let files: Vec<PathBuf> = (0..3).map(|n| folder.path().join(format!("operators/{n}.yaml"))).collect();
        for file in &files {
            fs::write(file, LOOSE).unwrap();
        }
        let arguments = Arguments { files: Vec::new(), check: false };
        assert!(run(folder.path(), &arguments, &mut crate::cli::output::tests::Full).is_err());
        assert!(files.iter().all(|file| fs::read_to_string(file).unwrap() == SOUND));
    }
}
