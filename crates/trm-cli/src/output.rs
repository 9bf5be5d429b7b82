//! Standard output and standard error, which may be closed or full.
//!
//! Data that cannot be written to standard output are a failure, except where the reader of a pipe has left:
//! that ends quietly. What cannot be written to standard error is not worth losing work for.

use std::fmt::Arguments;
use std::io::{ErrorKind, Result, Write};

/// Prints one line of data to standard output.
macro_rules! out {
    ($($text:tt)*) => { $crate::output::print_out(format_args!($($text)*)) };
}

/// Prints one line for a person to standard error.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::print_note(format_args!($($text)*)) };
}

pub(crate) use {note, out};

/// Prints a line to standard output, or ends the process if that is impossible.
pub(crate) fn print_out(line: Arguments<'_>) {
    if cfg!(test) {
        return println!("{line}"); // which the tests' harness keeps to itself
    }
    if crate::team::leads() {
        written(writeln!(anstream::stdout(), "{line}"));
    }
}

/// Prints a line to standard error, if that is possible. Of several processes the first one speaks for all.
pub(crate) fn print_note(line: Arguments<'_>) {
    if cfg!(test) {
        return eprintln!("{line}");
    }
    if crate::team::leads() {
        print_always(line);
    }
}

/// Prints a line to standard error, if that is possible, whichever of several processes this is.
pub(crate) fn print_always(line: Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Ends the process where something could not be written to standard output.
pub(crate) fn written(result: Result<()>) {
    let Err(error) = result.and_then(|()| std::io::stdout().flush()) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        crate::interrupt::exit(0);
    }
    crate::display::error(&anyhow::anyhow!("cannot write to standard output: {error}"));
    crate::interrupt::exit(1);
}
