//! Backups, mirrors and the root store.

use lethe_proto::v1::{self, Purpose};
use prost::Message as _;

use super::Row;

use Purpose::Administration;

pub(super) const ROWS: &[Row] = &[
    Row {
        method: "BackupService/CreateBackup",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| v1::CreateBackupRequest { purpose: purpose.into(), ..Default::default() }.encode_to_vec(),
    },
    Row {
        method: "BackupService/ListBackups",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| v1::ListBackupsRequest { purpose: purpose.into(), ..Default::default() }.encode_to_vec(),
    },
    Row {
        method: "BackupService/GetBackup",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::GetBackupRequest { name: target.backup.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "BackupService/VerifyBackup",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            let name = target.backup.clone();
            v1::VerifyBackupRequest { name, purpose: purpose.into(), no_wait: false }.encode_to_vec()
        },
    },
    Row {
        method: "BackupService/PruneBackups",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| {
            v1::PruneBackupsRequest { purpose: purpose.into(), keep: 1000, ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "BackupService/ListMirrors",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| v1::ListMirrorsRequest { purpose: purpose.into(), ..Default::default() }.encode_to_vec(),
    },
    Row {
        method: "RootService/GetRootStatus",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| {
            let name = "vault/rootStatus".to_owned();
            v1::GetRootStatusRequest { name, purpose: purpose.into() }.encode_to_vec()
        },
    },
];
