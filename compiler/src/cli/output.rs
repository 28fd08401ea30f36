//! Standard output as the commands write to it.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Passes everything on. An error says whose it is; that of a reader who is gone keeps its kind, by which it is known.
#[derive(Debug)]
pub(super) struct Output<W>(pub(super) W);

fn named(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, format!("cannot write to standard output: {error}")),
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    // What is handed over in one piece stays one: the output looks for colours in each.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).map_err(named)
    }

    fn write_fmt(&mut self, arguments: Arguments<'_>) -> io::Result<()> {
        self.0.write_fmt(arguments).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// Whether an error means that the reader of the output, such as `head`, has seen enough.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A disk without room.
    #[derive(Debug)]
    pub(crate) struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_error_says_that_it_is_of_the_output() {
        let error = anyhow::Error::from(writeln!(Output(Full), "x").unwrap_err());
        assert!(error.to_string().starts_with("cannot write to standard output: "), "{error}");
        assert!(!is_closed(&error));
        let closed = named(ErrorKind::BrokenPipe.into());
        assert!(is_closed(&closed.into()));
    }
}
