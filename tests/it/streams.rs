//! What commands do, and how they end, where their output goes away.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the program, as built for the tests, in a folder.
fn bindery(folder: &Path, arguments: &[&str], out: impl Into<Stdio>) -> Output {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().and_then(Path::parent).unwrap().join("bindery");
    Command::new(program).args(arguments).current_dir(folder).stdout(out).output().unwrap()
}

/// A pipe whose reader is gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_goes_away_is_no_finding_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, out, code) in [("closed", closed(), 141), ("full", File::create("/dev/full").unwrap().into(), 1)] {
        let output = bindery(folder.path(), &["init", name], out);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        let expected = if code == 1 { "error: cannot write to standard output: " } else { "" };
        assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{said}");
        for check in
            [&["check", "--deny", "warnings"][..], &["schema", "--check"], &["render", "--check"], &["fmt", "--check"]]
        {
            let output = bindery(&at(name), check, Stdio::null());
            assert!(output.status.success(), "{check:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let again = bindery(&at(name), &["check"], closed());
        assert_eq!((again.status.code(), &*again.stderr), (Some(141), &b""[..]));
    }
}
