//! One module a noun of the command line.

pub(crate) mod attestation;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod case;
pub(crate) mod consent;
pub(crate) mod credential;
pub(crate) mod disclosure;
pub(crate) mod enroll;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod hold;
pub(crate) mod inspect;
pub(crate) mod issued;
pub(crate) mod leaving;
pub(crate) mod mirror;
pub(crate) mod model;
pub(crate) mod notification;
pub(crate) mod operator;
pub(crate) mod proposal;
pub(crate) mod receipt;
pub(crate) mod request;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod root;
pub(crate) mod rotate;
pub(crate) mod search;
pub(crate) mod signing_key;
pub(crate) mod subject;
pub(crate) mod sweep;
pub(crate) mod template;
pub(crate) mod tenant;
pub(crate) mod transfer;
pub(crate) mod verify;
pub(crate) mod watchlist;

use super::connection::Connection;
use super::output::Output;

/// What every command that calls a server has.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) out: Output,
    pub(crate) connection: Connection,
}
