//! How a service ended, and what that means for the whole.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error of a service: any error that can be passed between threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The same, shared, for events that several subscribers get.
pub type SharedError = Arc<dyn Error + Send + Sync>;

/// How one run of a service ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Exit {
    /// It returned without an error, and nobody had asked it to.
    Completed,
    /// It returned without an error after the tree was cancelled.
    Cancelled,
    /// It did not end by the deadline and was aborted.
    Aborted,
    /// It returned an error.
    Failed(SharedError),
    /// It panicked.
    #[non_exhaustive]
    Panicked {
        /// What the panic said. The standard panic hook prints where.
        message: String,
    },
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("ended unexpectedly"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Aborted => f.write_str("aborted"),
            Self::Failed(error) => write_chain(error.as_ref(), f),
            Self::Panicked { message } => write!(f, "panicked: {message}"),
        }
    }
}

/// A Required service ended without being asked to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{component} {error}")]
#[non_exhaustive]
pub struct RuntimeFailed {
    /// Name of the service.
    pub component: &'static str,
    /// Why it ended.
    pub error: ServiceError,
}

/// Why a Required service ended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It returned an error.
    #[error("failed: {0}")]
    Failed(#[source] SharedError),
    /// It panicked.
    #[error("panicked: {message}")]
    #[non_exhaustive]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// It returned without an error although it should run for as long as the tree.
    #[error("ended unexpectedly")]
    EndedUnexpectedly,
}

impl From<Exit> for ServiceError {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Failed(error) => Self::Failed(error),
            Exit::Panicked { message } => Self::Panicked { message },
            Exit::Completed | Exit::Cancelled | Exit::Aborted => Self::EndedUnexpectedly,
        }
    }
}

/// An error with its causes, as one line.
fn write_chain(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut said = error.to_string();
    f.write_str(&said)?;
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors repeat their cause already.
        if !said.ends_with(&next) {
            write!(f, ": {next}")?;
        }
        said = next;
        cause = error.source();
    }
    Ok(())
}
