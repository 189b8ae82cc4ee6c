//! What can be known of the device and file system that a replica is on.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rustix::fs::{StatFs, fstatfs, major, minor};

use super::replica::{Replica, io_error};
use crate::error::Result;
use crate::root::MediumStatement;

/// File systems that overwrite in place, by their magic numbers (`statfs(2)`): ext2/3/4, XFS (without
/// reflinks of this file), VFAT, exFAT, NTFS.
const IN_PLACE: [u64; 6] = [0xEF53, 0x5846_5342, 0x4d44, 0x2011_BAB0, 0x5346_544e, 0x7366_746e];

/// How long a backups' disk may take to say where it is. A server that is away must keep no vault from starting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Devices that the data are on, or copies of them; absent ones could not be told.
pub(super) type Devices = Vec<Option<u64>>;

/// Where the data are now, and their live copies, as far as they are there.
pub(super) fn of_data(data: &Path, live: &[PathBuf]) -> Result<Devices> {
    let mut devices = vec![Some(fs::metadata(data).map_err(io_error("reading", data))?.dev())];
    devices.extend(live.iter().filter_map(|folder| of_live(folder)));
    Ok(devices)
}

/// Where a live copy is, if it is there: an empty folder is one that nothing is mounted on, or was never used.
fn of_live(folder: &Path) -> Option<Option<u64>> {
    match fs::read_dir(folder).map(|mut entries| entries.next()) {
        Ok(Some(_)) => Some(fs::metadata(folder).map(|metadata| metadata.dev()).ok()),
        Ok(None) => None,
        Err(absent) if matches!(absent.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        Err(_) => Some(None),
    }
}

/// Where backups are, or will be made.
pub(super) fn of_backups(folder: &Path) -> Option<u64> {
    let (said, heard) = sync_channel(1);
    let folder = folder.to_owned();
    let look = move || {
        let there = folder.ancestors().find_map(|folder| match fs::metadata(folder) {
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => None,
            there => Some(there.map(|metadata| metadata.dev()).ok()),
        });
        let _ = said.send(there.flatten());
    };
    std::thread::Builder::new().name("lethe-backups".to_owned()).spawn(look).ok()?;
    heard.recv_timeout(PATIENCE).ok().flatten()
}

/// What the medium of a replica cannot promise, given where the data are. What could not be told is taken for a yes.
pub(super) fn statements(replica: &Replica, data: &Devices) -> Result<Vec<MediumStatement>> {
    let device = replica.file().metadata().map_err(io_error("reading", replica.path()))?.dev();
    let mut statements = Vec::new();
    if data.iter().any(|data| data.is_none_or(|data| disk(device) == disk(data))) {
        statements.push(MediumStatement::NotSeparate);
    }
    // What does not say that it turns is taken for flash.
    if rotational(device) != Some(true) {
        statements.push(MediumStatement::WearLevelling);
    }
    let in_place = fstatfs(replica.file()).is_ok_and(|stat| overwrites_in_place(&stat));
    if !in_place || journals_data(device) {
        statements.push(MediumStatement::CopyOnWrite);
    }
    Ok(statements)
}

fn overwrites_in_place(stat: &StatFs) -> bool {
    u64::try_from(stat.f_type).is_ok_and(|kind| IN_PLACE.contains(&kind))
}

/// Does the file system write data into its journal first (ext4 `data=journal`)? What cannot be known is
/// taken for a yes.
fn journals_data(device: u64) -> bool {
    let number = format!("{}:{}", major(device), minor(device));
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return true };
    // proc(5): the third field is the device; the options of the file system come last.
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&number));
    mount.is_none_or(|line| line.rsplit(' ').next().is_none_or(|options| options.contains("data=journal")))
}

/// Two partitions of one disk are one device: whoever images it has both.
#[derive(PartialEq, Eq)]
enum Disk {
    Whole(PathBuf),
    Device(u64),
}

fn disk(device: u64) -> Disk {
    let Ok(path) = fs::canonicalize(sysfs(device)) else { return Disk::Device(device) };
    match path.parent() {
        Some(whole) if path.join("partition").exists() => Disk::Whole(whole.to_owned()),
        Some(_) | None => Disk::Whole(path),
    }
}

fn rotational(device: u64) -> Option<bool> {
    let Disk::Whole(disk) = disk(device) else { return None };
    let text = fs::read_to_string(disk.join("queue/rotational")).ok()?;
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

fn sysfs(device: u64) -> PathBuf {
    PathBuf::from(format!("/sys/dev/block/{}:{}", major(device), minor(device)))
}
