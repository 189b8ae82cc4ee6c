use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::root_service_server::RootService;
use tonic::{Request, Response, Status, async_trait};

use super::convert::{self, to_timestamp};
use super::{Node, names};
use crate::root_status::{self, RootStatus};

#[async_trait]
impl RootService for Node {
    async fn get_root_status(
        &self,
        request: Request<v1::GetRootStatusRequest>,
    ) -> Result<Response<v1::RootStatus>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        names::root_status("name", &message.name)?;
        let call = self.admit_to_vault::<op::GetRootStatus>(&principal, message.purpose).await?;
        let status = root_status::root_status(self.vault()?, call.witness).await?;
        Ok(Response::new(to_root_status(status)))
    }
}

fn to_root_status(status: RootStatus) -> v1::RootStatus {
    let RootStatus { store, moving_from, standing, statements } = status;
    let roots = standing.roots;
    let state = match roots.failing {
        Some(_) => v1::RootStoreState::Failing,
        None => v1::RootStoreState::Working,
    };
    // A store that hangs has given no fault yet.
    let hangs =
        roots.failing.as_ref().filter(|failing| roots.last_fault.as_ref().is_none_or(|last| last.text != failing.why));
    let hangs = hangs.map(|failing| (failing.why.clone(), failing.since));
    let (fault, fault_time) = hangs.or(roots.last_fault.map(|fault| (fault.text, fault.at))).unzip();
    v1::RootStatus {
        name: names::ROOT_STATUS.to_owned(),
        store: store.name().to_owned(),
        moving_from: moving_from.map(|store| store.name().to_owned()).unwrap_or_default(),
        state: state.into(),
        fail_time: roots.failing.map(|failing| to_timestamp(failing.since)),
        fault: fault.unwrap_or_default(),
        fault_time: fault_time.map(to_timestamp),
        claimed: roots.is_ours,
        epoch: convert::sequence(standing.epoch),
        pending_count: convert::sequence(standing.pending),
        oldest_pending_time: standing.oldest.map(to_timestamp),
        orphan_count: convert::sequence(roots.orphans),
        medium_statements: statements.iter().map(str::to_owned).collect(),
    }
}
