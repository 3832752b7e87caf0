//! Files appear whole or not at all, and for everybody whom the umask lets read them.

use relucert::data::{TeacherSettings, teacher};
use relucert::{
    Blocks, CertifySettings, Checkpoint, Control, Division, Error, Network, Silent, certify, write_whole,
};
use std::fs;
use std::path::Path;

/// What others may do with a file.
#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_: &Path) -> u32 {
    0
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.txt");
    write_whole(&path, |file| file.write_all(b"first")).unwrap();
    // What fails half way leaves what was there, and nothing beside it.
    let failed = write_whole(&path, |file| {
        file.write_all(b"second")?;
        Err(std::io::Error::other("no more"))
    });
    assert!(matches!(failed, Err(Error::Io { .. })));
    assert_eq!(
        (fs::read(&path).unwrap(), names(folder.path())),
        (b"first".to_vec(), vec!["f.txt".to_owned()])
    );
    write_whole(&path, |file| file.write_all(b"third")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"third");
    for nowhere in [folder.path().join("no folder/f.txt"), folder.path().join("..")] {
        assert!(write_whole(&nowhere, |file| file.write_all(b"x")).is_err());
    }
}

#[test]
fn all_files_of_a_run_can_be_read_by_the_same_people() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let data = TeacherSettings { samples: 24, features: 2, outputs: 1, ..TeacherSettings::default() };
    let problem = teacher(&data).unwrap().problem(0.5).unwrap();
    let checkpoint = folder.path().join("run.npz");
    let settings = CertifySettings { blocks: Blocks::Count(2), ..CertifySettings::default() };
    let kept = CertifySettings { checkpoint: Some(Checkpoint::new(&checkpoint)), ..settings.clone() };
    certify(&problem, &kept, &Control::new(), &mut Silent).unwrap().save(&problem, folder.path()).unwrap();
    let network = Network::empty(problem.inputs(), problem.outputs());
    let division = Division::new(&problem, &network, &settings).unwrap();
    let parts = folder.path().join("parts");
    fs::create_dir(&parts).unwrap();
    let task = division.task(0).unwrap();
    #[cfg(feature = "serde")]
    {
        task.save(&parts).unwrap();
        task.solve(&Control::new()).unwrap().save(&parts).unwrap();
    }
    #[cfg(not(feature = "serde"))]
    drop(task);
    let mut count = 0;
    for folder in [folder.path(), &parts] {
        for name in names(folder).iter().filter(|name| *name != "parts") {
            assert_eq!(mode(&folder.join(name)), mode(&plain), "{name}");
            count += 1;
        }
    }
    assert!(count >= 5 + if cfg!(feature = "serde") { 5 } else { 0 }, "{count}");
}
