//! Copies of the data directory that are started beside the vault, with its root store; copies of its mirrors and backups with
//! them.

use std::fs;

use rand::seq::IndexedRandom;

use super::history::{History, SOURCES};
use super::roots::Place;
use crate::{Exited, Home};

impl History {
    /// Both.
    pub(super) async fn meet_clones(&mut self) {
        for clone in [true, false] {
            let name = if clone { self.refuse_a_clone().await } else { self.give_way_to_a_clone().await };
            self.count(name);
            self.image();
        }
    }

    /// A copy is refused while the vault runs; one from before the last start is refused whenever it is started. Neither
    /// touches a root.
    pub(super) async fn refuse_a_clone(&mut self) -> &'static str {
        self.image();
        let newest = self.images.len() - 1;
        // Where a store serves two at once, or keeps the second one waiting, a copy of a vault that runs is no test of it.
        if let Place::File(_) = self.roots {
            let home = self.clone_of(newest);
            let exited = self.setup.clone().refuses_to_start_in(home).await;
            expect(&exited, &["is locked by another process"]);
        }
        let before = self.whole.partition_point(|image| *image < self.life);
        if let Some(&old) = self.whole[..before].choose(&mut self.random) {
            self.stop().await;
            let before = self.roots_now();
            let home = self.clone_of(old);
            let exited = self.setup.clone().refuses_to_start_in(home).await;
            expect(&exited, &["take the vault over", "does not hold root"]);
            assert_eq!(self.roots_now(), before, "a clone that is refused touches no root");
            self.start().await;
        }
        "clones refused"
    }

    /// A copy of what is there now is the vault from then on: where it came from is fenced out.
    pub(super) async fn give_way_to_a_clone(&mut self) -> &'static str {
        self.stop().await;
        let home = self.clone_of(self.images.len() - 1);
        let mut process = self.setup.spawn(&home);
        process.serving().await.unwrap_or_else(|exited| panic!("a copy of what is there starts: {}", exited.log));
        self.images.take(home.path(), &SOURCES);
        process.terminate();
        process.exited().await;
        self.images.take(home.path(), &SOURCES);

        let before = self.roots_now();
        let exited = self.vault.refuses_to_start().await;
        expect(&exited, &["take the vault over"]);
        assert_eq!(self.roots_now(), before, "who is fenced out touches no root");
        self.image_closed();
        let fenced = self.vault.home().path().join("fenced");
        fs::create_dir(&fenced).unwrap();
        for folder in ["data", "mirror", "backups"] {
            let (here, there) = (self.vault.home().path().join(folder), home.path().join(folder));
            if here.exists() {
                fs::rename(&here, fenced.join(folder)).unwrap();
                fs::rename(there, here).unwrap();
            }
        }
        fs::remove_dir_all(fenced).unwrap();
        self.start().await;
        "clones that took over"
    }

    /// What is in an image, beside the root store as it is now.
    fn clone_of(&self, image: usize) -> Home {
        let home = Home::new();
        self.images.lay_out(image, home.path());
        let original = self.vault.home();
        fs::copy(original.operator_key(), home.operator_key()).unwrap();
        let roots = home.root(0).parent().unwrap().to_owned();
        fs::remove_dir(&roots).unwrap();
        std::os::unix::fs::symlink(original.root(0).parent().unwrap(), &roots).unwrap();
        home
    }
}

fn expect(exited: &Exited, texts: &[&str]) {
    let told = texts.iter().any(|text| exited.log.contains(text));
    assert!(!exited.status.success() && told, "a clone was not refused as a clone: {}", exited.log);
}
