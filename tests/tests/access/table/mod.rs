//! What the API's documentation promises of each method: its roles, its purposes, and a minimal request that
//! is answered. Written by hand, from the `.proto` files: it must not follow from what the server does.

mod audit;
mod cases;
mod decisions;
mod requests;
mod signing_keys;
mod subjects;
mod templates;
mod tenants;
mod vault;
mod watchlists;

use std::sync::LazyLock;

use Purpose::{Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection, FraudPrevention, LegalClaims};
use lethe_proto::v1::{Purpose, Role};

use crate::stage::Target;

/// A method's line.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Service and method, without the package.
    pub(crate) method: &'static str,
    /// Any of these roles of the tenant will do.
    pub(crate) roles: &'static [Role],
    /// Whether the operator's credential will do.
    pub(crate) operator: bool,
    /// The purposes it may serve.
    pub(crate) purposes: &'static [Purpose],
    /// A minimal request, encoded.
    pub(crate) request: fn(&Target, Purpose) -> Vec<u8>,
}

const LOOKING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest, LegalClaims];
const EXERCISING: &[Purpose] = &[DataSubjectRequest, LegalClaims];

/// Every method of the API.
pub(crate) static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    [
        tenants::ROWS,
        templates::ROWS,
        watchlists::ROWS,
        signing_keys::ROWS,
        subjects::ROWS,
        requests::ROWS,
        cases::ROWS,
        decisions::ROWS,
        audit::ROWS,
        vault::ROWS,
    ]
    .concat()
});

impl Row {
    /// The method's path on the wire.
    pub(crate) fn path(&self) -> String {
        format!("/lethe.v1.{}", self.method)
    }

    /// Whether it answers with a stream, or is asked by one.
    pub(crate) fn streams(&self) -> bool {
        let path = format!("lethe.v1.{}", self.method);
        lethe_proto::methods().iter().any(|it| it.streaming && path == format!("{}/{}", it.service, it.method))
    }

    /// Whether the method is the vault's, not a tenant's.
    pub(crate) fn is_the_vaults(&self) -> bool {
        self.roles.is_empty()
    }

    /// A purpose that it may serve.
    pub(crate) fn purpose(&self) -> Purpose {
        self.purposes[0]
    }
}
