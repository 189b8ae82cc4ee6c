use std::sync::Arc;

use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::backup_service_server::BackupService;
use tokio::time::Instant;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::backup::{self, Number, Report, Soundness, State, Verification};
use crate::error::Result;
use crate::mirrors;
use crate::store::{DAMAGED, MirrorStanding, MirrorState};

#[async_trait]
impl BackupService for Node {
    async fn create_backup(&self, request: Request<v1::CreateBackupRequest>) -> Result<Response<v1::Backup>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let call = self.admit_to_vault::<op::CreateBackup>(&principal, message.purpose).await?;
        let request = convert::request_id(&message.request_id)?;
        let until = if message.no_wait { Instant::now() } else { until };
        let vault = Arc::clone(self.vault()?);
        let report = to_the_end(async move {
            let call = call;
            backup::create(&vault, call.witness, request, until).await
        })
        .await?;
        Ok(Response::new(to_backup(report)))
    }

    async fn list_backups(
        &self,
        request: Request<v1::ListBackupsRequest>,
    ) -> Result<Response<v1::ListBackupsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let call = self.admit_to_vault::<op::ListBackups>(&principal, message.purpose).await?;
        let pages = self.pages(&call, "vault")?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = backup::list(self.vault()?, call.witness, from, size).await?;
        Ok(Response::new(v1::ListBackupsResponse {
            backups: page.into_iter().map(to_backup).collect(),
            next_page_token: pages.token(next),
        }))
    }

    async fn get_backup(&self, request: Request<v1::GetBackupRequest>) -> Result<Response<v1::Backup>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let number = names::backup("name", &message.name)?;
        let call = self.admit_to_vault::<op::GetBackup>(&principal, message.purpose).await?;
        let report = backup::get(self.vault()?, call.witness, number).await?;
        Ok(Response::new(to_backup(report)))
    }

    async fn verify_backup(&self, request: Request<v1::VerifyBackupRequest>) -> Result<Response<v1::Backup>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let number = names::backup("name", &message.name)?;
        let call = self.admit_to_vault::<op::VerifyBackup>(&principal, message.purpose).await?;
        let until = if message.no_wait { Instant::now() } else { until };
        let vault = Arc::clone(self.vault()?);
        let report = to_the_end(async move {
            let call = call;
            backup::verify(&vault, call.witness, number, until).await
        })
        .await?;
        Ok(Response::new(to_backup(report)))
    }

    async fn prune_backups(
        &self,
        request: Request<v1::PruneBackupsRequest>,
    ) -> Result<Response<v1::PruneBackupsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let call = self.admit_to_vault::<op::PruneBackups>(&principal, message.purpose).await?;
        // Pruning to a number is the same however often it is asked for; the id is checked all the same.
        convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let (deleted, kept) = to_the_end(async move {
            let call = call;
            backup::prune(&vault, call.witness, message.keep).await
        })
        .await?;
        let names = |numbers: Vec<Number>| numbers.into_iter().map(name_of).collect();
        Ok(Response::new(v1::PruneBackupsResponse { deleted: names(deleted), kept: names(kept) }))
    }

    async fn list_mirrors(
        &self,
        request: Request<v1::ListMirrorsRequest>,
    ) -> Result<Response<v1::ListMirrorsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let call = self.admit_to_vault::<op::ListMirrors>(&principal, message.purpose).await?;
        let pages = self.pages(&call, "vault")?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = mirrors::states(self.vault()?, call.witness, from, size).await?;
        Ok(Response::new(v1::ListMirrorsResponse {
            mirrors: page.into_iter().map(to_mirror).collect(),
            next_page_token: pages.token(next),
        }))
    }
}

fn name_of(number: Number) -> String {
    format!("backups/{number}")
}

fn to_backup(report: Report) -> v1::Backup {
    let (state, size_bytes, file_count, fault) = match report.state {
        State::Running => (v1::BackupState::Running, 0, 0, String::new()),
        State::Done { bytes, files } => (v1::BackupState::Done, bytes, files, String::new()),
        State::Failed(fault) => (v1::BackupState::Failed, 0, 0, fault),
        State::Damaged => (v1::BackupState::Damaged, 0, 0, DAMAGED.to_owned()),
    };
    v1::Backup {
        name: name_of(report.number),
        state: state.into(),
        create_time: report.at.map(to_timestamp),
        size_bytes: convert::sequence(size_bytes),
        file_count: i32::try_from(file_count).unwrap_or(i32::MAX),
        fault,
        verification: report.verification.map(to_verification),
    }
}

fn to_verification(Verification { outcome, at }: Verification) -> v1::BackupVerification {
    let (state, rows, fault) = match outcome {
        Soundness::Running => (v1::VerificationState::Running, 0, String::new()),
        Soundness::Sound(rows) => (v1::VerificationState::Done, rows, String::new()),
        Soundness::Unsound(fault) => (v1::VerificationState::Failed, 0, fault),
    };
    let (state, verify_time) = (state.into(), Some(to_timestamp(at)));
    v1::BackupVerification { state, verify_time, row_count: convert::sequence(rows), fault }
}

fn to_mirror(mirror: MirrorState) -> v1::Mirror {
    let (state, fault) = match mirror.standing {
        MirrorStanding::CatchingUp => (v1::MirrorState::CatchingUp, String::new()),
        MirrorStanding::Following => (v1::MirrorState::Following, String::new()),
        MirrorStanding::Failing(fault) => (v1::MirrorState::Failing, fault),
    };
    v1::Mirror {
        name: format!("mirrors/{}", mirror.id),
        path: mirror.path.display().to_string(),
        state: state.into(),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use lethe_domain::Timestamp;

    use super::*;

    #[test]
    fn each_state_has_its_own_fields() {
        let at = Some(Timestamp::from_millis(1500));
        let report = |state, verification| Report { number: 7, state, at, verification };
        let running = to_backup(report(State::Running, None));
        assert_eq!((running.name.as_str(), running.state()), ("backups/7", v1::BackupState::Running));
        let unsound = Verification { outcome: Soundness::Unsound("torn".into()), at: Timestamp::from_millis(0) };
        let done = to_backup(report(State::Done { bytes: 5, files: 2 }, Some(unsound)));
        assert_eq!((done.state(), done.size_bytes, done.file_count), (v1::BackupState::Done, 5, 2));
        assert_eq!(done.verification.unwrap().fault, "torn");
        let failed = to_backup(report(State::Failed("full".into()), None));
        assert_eq!((failed.state(), failed.fault.as_str()), (v1::BackupState::Failed, "full"));
        let damaged = to_backup(Report { at: None, ..report(State::Damaged, None) });
        assert_eq!((damaged.state(), damaged.create_time), (v1::BackupState::Damaged, None));
        assert!(damaged.fault.contains("is damaged"), "{}", damaged.fault);
    }
}
