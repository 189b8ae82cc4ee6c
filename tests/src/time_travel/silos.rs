//! Tenants that are shredded, each followed by another.

use rand::Rng;

use super::history::{History, is_death, new_tenant};
use crate::failpoints::deadly;
use lethe_proto::v1;

impl History {
    /// Shreds a tenant with everybody in it, and has another one take its place. With a failpoint, the server dies there
    /// on the way, and the same request is made again of the next one.
    pub(super) async fn shred(&mut self, failpoint: Option<&'static str>) -> &'static str {
        let place = self.random.random_range(0..self.tenants.len());
        let operator = self.vault.operator();
        let no_wait = failpoint.is_none() && self.random.random_bool(0.5);
        let id = self.tenants[place].id().to_owned();
        let request = v1::ShredTenantRequest { no_wait, ..operator.agreed(&self.tenants[place]).await };
        let mut answer = None;
        if let Some(failpoint) = failpoint {
            self.stop().await;
            self.unanswered.tenant = Some(place);
            // What a start reaches, too, is left alone a few times.
            let often = failpoint.starts_with("commit-") || failpoint.starts_with("root-file-");
            let spared = if often { self.random.random_range(1..7) } else { 0 };
            self.arm(Some(&format!("{failpoint}={spared}*off->{}", deadly(failpoint))));
            match self.vault.try_start().await {
                Ok(()) => match operator.ask(request.clone()).await {
                    Ok(erasure) => {
                        answer = Some(erasure);
                        self.vault.kill().await;
                    }
                    Err(refusal) => {
                        assert!(is_death(&refusal), "{refusal}");
                        drop(self.vault.died().await);
                    }
                },
                Err(exited) => assert!(!exited.status.success(), "{failpoint}: ended well"),
            }
            self.died();
            self.arm(None);
            self.start().await;
        }
        let erasure = operator.ask(request).await.expect("a tenant is shredded");
        if let Some(answer) = answer {
            assert_eq!(erasure.receipt, answer.receipt, "a repeat gives the same receipt");
        }
        if erasure.state() == v1::ErasureState::Shredded {
            self.shredded.push((erasure.receipt.clone(), self.roots_now()));
        }
        for person in self.people.iter_mut().filter(|person| person.tenant == place) {
            person.lose_tenant(&erasure);
        }
        self.pending_tenants.push((id, erasure.receipt));
        self.unanswered.tenant = None;
        self.image();
        let successor =
            new_tenant(&self.vault, &format!("{}-{}", super::history::TENANTS[place], self.former.len())).await;
        self.former.push(std::mem::replace(&mut self.tenants[place], successor));
        "tenants shredded"
    }

    /// Waits until every tenant that was to be shredded is.
    pub(super) async fn settle_tenants(&mut self) {
        let operator = self.vault.operator();
        for (id, receipt) in std::mem::take(&mut self.pending_tenants) {
            let patience = tokio::time::Instant::now() + crate::PATIENCE;
            while operator.receipt(&receipt).await.expect("a shredding has a receipt").state()
                != v1::ErasureState::Shredded
            {
                assert!(tokio::time::Instant::now() < patience, "{receipt} stays pending");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            self.shredded.push((receipt, self.roots_now()));
            self.gone.insert(id);
        }
    }
}
