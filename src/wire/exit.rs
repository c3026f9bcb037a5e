//! The one table of exit codes, for every program of the project and every peer.

use strum::VariantArray;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done, and verified where there was something to verify.
    Ok = 0,
    /// Something unforeseen.
    Failure = 1,
    /// The command line, the job or the experiment is wrong.
    Usage = 2,
    /// This combination of scheme, statement and commit is not supported by this program.
    NotSupported = 3,
    /// The data is missing or damaged.
    Data = 4,
    /// The database cannot be reached, refuses, or isn't prepared.
    Database = 5,
    /// The rows in the database are not the rows that were acknowledged.
    NotVerified = 6,
    /// The container engine or the stack cannot be reached or refuses.
    Engine = 7,
    /// Another lab is using the stack.
    Busy = 8,
    /// A bundle or a series is damaged, was changed, or holds what this lab cannot read; or a series is not fit for a
    /// bundle.
    Bundle = 9,
    /// The gate found what it forbids: a cell that is slower than allowed, or another verdict.
    Slower = 10,
    /// The gate cannot tell: setups or noise don't allow the claim.
    Undecided = 11,
    /// These series cannot be compared: they have no cell in common, or one is not finished.
    NotComparable = 12,
    /// Interrupted (Ctrl-C), after an orderly end.
    Interrupted = 130,
}

impl Exit {
    /// Every code, for `--help` and the documentation.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// The number a shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The code a program reported; one that is not in the table counts as unforeseen.
    pub fn of(code: u8) -> Self {
        Self::ALL.iter().copied().find(|exit| exit.code() == code).unwrap_or(Self::Failure)
    }

    /// One line that says what it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, and verified",
            Self::Failure => "something unforeseen",
            Self::Usage => "the command line, job or experiment is wrong",
            Self::NotSupported => "this combination is not supported by this program",
            Self::Data => "the data is missing or damaged",
            Self::Database => "the database cannot be reached, refuses, or isn't prepared",
            Self::NotVerified => "the rows in the database are not those acknowledged",
            Self::Engine => "the container engine or the stack cannot be reached or refuses",
            Self::Busy => "another lab is using the stack",
            Self::Bundle => "a bundle or series is damaged, cannot be read, or is not fit to pass on",
            Self::Slower => "the gate found what it forbids",
            Self::Undecided => "the gate cannot tell",
            Self::NotComparable => "these series cannot be compared",
            Self::Interrupted => "interrupted, after an orderly end",
        }
    }
}

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the program ends because of it.
    pub exit: Exit,
    /// One sentence: what, where, what to do.
    pub message: String,
    /// Whether it may pass: a moment later the same may be done.
    passes: bool,
}

impl Failure {
    /// A failure from its parts.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), passes: false }
    }

    /// A failure that may pass by itself, as where the other end is just starting.
    pub fn passing(exit: Exit, message: impl Into<String>) -> Self {
        Self { passes: true, ..Self::new(exit, message) }
    }

    /// Whether the first [`Failure`] in an error's chain may pass by itself.
    pub fn passes(error: &anyhow::Error) -> bool {
        error.chain().find_map(|cause| cause.downcast_ref::<Self>()).is_some_and(|failure| failure.passes)
    }

    /// The exit code an error leads to: that of the first [`Failure`] in its chain, else [`Exit::Failure`].
    pub fn exit_of(error: &anyhow::Error) -> Exit {
        error.chain().find_map(|cause| cause.downcast_ref::<Self>()).map_or(Exit::Failure, |failure| failure.exit)
    }
}
