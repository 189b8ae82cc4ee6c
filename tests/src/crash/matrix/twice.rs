//! A crash in the middle of the recovery from another: what is left is opened under the recorder, and crashed into at any step.

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::history::{moving, setup, telling};
use super::judge::Case;
use super::points::{Kind, points};
use super::way_out;
use crate::disk::{Disks, Fault, Image, Recorder, Unsynced};
use crate::{Home, Vault};

/// What a second crash leaves.
pub(super) struct Left {
    pub(super) image: Image,
    /// The step at which it came.
    pub(super) step: String,
    /// It is not what a mere death would have left.
    pub(super) bitten: bool,
    /// Everything that the recovery wrote to write-ahead logs.
    pub(super) logs: Vec<Vec<u8>>,
}

impl Case {
    /// Opens what a crash left, as it was opened before, until it serves; and crashes it at one of the steps of that. Of what
    /// the first crash left all is on the disks: the machine was off.
    pub(super) async fn crash_again(&self, first: &Image) -> Result<Left, String> {
        let mut random = ChaCha8Rng::seed_from_u64(self.fault.seed);
        let (home, base) = (Home::new(), Home::new());
        first.write(home.path());
        first.write(base.path());
        let recorder = Recorder::of(&home);
        let kind = self.recording.kind;
        let bare = if kind == Kind::Move { moving(home.path()) } else { setup() };
        let watched = recorder.watch(telling(bare, &self.recording.binary));
        let vault = Vault::new(watched.clone(), home);
        if kind == Kind::Restore {
            // It may have ended: then there is a vault in the way.
            way_out::restore_newest(&watched, vault.home(), &[]);
        }
        match vault.try_start().await {
            Ok(()) => {
                way_out::mirrors_follow(&vault).await;
                vault.kill().await;
            }
            // A restore that had not begun to write leaves nothing to start.
            Err(_) if kind == Kind::Restore => {}
            Err(exited) => return Err(format!("it does not start after the first crash: {}", exited.log)),
        }
        let trace = recorder.read();
        let steps = points(&trace, Kind::Life, 1, &[]);
        let Some(step) = steps.choose(&mut random) else {
            let image = Image::read(base.path());
            return Ok(Left { image, step: "nothing that is durable".to_owned(), bitten: false, logs: Vec::new() });
        };
        // A process that died leaves to the next what it wrote and did not sync. If then the power went, that would go,
        // too: here it dies once more.
        let unsynced = match self.fault.unsynced {
            Unsynced::Kept => Unsynced::Kept,
            Unsynced::Dropped | Unsynced::Cut | Unsynced::Scattered => {
                let all = [Unsynced::Kept, Unsynced::Dropped, Unsynced::Cut, Unsynced::Scattered];
                all[random.random_range(0..all.len())]
            }
        };
        let disks = Disks::new(base.path(), trace);
        let image = disks.image(step.at, Fault::power_cut(unsynced, random.random()));
        let bitten = image != disks.image(step.at, Fault::death(0));
        let logs = disks.everything("log").collect();
        Ok(Left { image, step: step.step.clone(), bitten, logs })
    }
}
