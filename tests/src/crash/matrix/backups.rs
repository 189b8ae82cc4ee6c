//! What backups are good for whose device lied: they can be read, or it is said that they cannot.

use std::sync::Arc;

use lethe_proto::v1::{ErrorReason, VerificationState};

use super::history::setup;
use super::judge::{Case, Verdict};
use super::way_out::{self, ACCEPT_LOST};
use crate::crash::ledger::Ledger;
use crate::disk::Image;
use crate::{Home, Vault};

/// What is said of a backup that is not there, or whose folder has lost the vault's name.
const GONE: [Option<ErrorReason>; 2] = [Some(ErrorReason::BackupNotFound), Some(ErrorReason::BackupFolderUnusable)];

impl Case {
    /// Backups that were said to be done on a device that lied: each can be read, and gives back what was there when it was
    /// begun, or is said to be damaged, or is not there; and nobody else comes back from it.
    pub(super) async fn look_at_the_backups(
        &self,
        vault: &Arc<Vault>,
        image: &Image,
        ledger: Ledger,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let operator = vault.operator();
        let point = &self.recording.points[self.place];
        let mut sound = Vec::new();
        for made in self.recording.backups.at(point.clock) {
            let name = format!("backups/{}", made.number);
            match operator.verify_backup(&name).await {
                Ok(verified) => {
                    let verification = verified.verification.unwrap_or_default();
                    if verification.state() == VerificationState::Done {
                        sound.push(made.number);
                    } else if verification.fault.is_empty() {
                        return Err(format!("{name} is not sound, and nobody says why: {verification:?}"));
                    }
                }
                Err(refusal) if GONE.contains(&refusal.reason()) => {}
                Err(refusal) => return Err(format!("{name} cannot be verified: {refusal}")),
            }
        }
        for made in self.recording.backups.at(point.clock) {
            // The mirrors and the folder as the crash left them; the data is gone.
            let home = Home::new();
            image.write(home.path());
            home.lose_data();
            let (folder, number) = (home.backups().display().to_string(), made.number.to_string());
            let from = ["--backup", &folder, "--number", &number, ACCEPT_LOST[0], ACCEPT_LOST[1]];
            let mut ran = way_out::restore(&setup(), &home, &from);
            if ran.log.contains("--take-over") {
                ran = way_out::restore(&setup(), &home, &[&from[..], &["--take-over"]].concat());
            }
            match (ran.code == Some(0), sound.contains(&made.number)) {
                (true, is_sound) => {
                    let restored = Arc::new(Vault::new(setup(), home));
                    restored.try_start().await.map_err(|exited| format!("backup {number}: {}", exited.log))?;
                    let sure = if is_sound { made.begun } else { 0 };
                    let known = ledger.as_of(point.clock);
                    self.look_for_what_must_be(&restored, known, sure, true, verdict).await?;
                    verdict.damaged += usize::from(!is_sound);
                }
                (false, true) => {
                    return Err(format!("backup {number} was found to be sound, and is not restored: {}", ran.log));
                }
                (false, false) => {
                    verdict.damaged += 1;
                    if !ran.log.contains(&folder) {
                        return Err(format!("it is not said which backup is damaged: {}", ran.log));
                    }
                }
            }
        }
        Ok(())
    }
}
