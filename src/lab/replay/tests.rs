//! What a replay takes from its bundle.

use super::*;
use crate::lab::bundling::testing::{Place, setup};
use crate::model::link::LinkProfile;
use crate::series::Repeats;

#[test]
fn a_bundle_is_run_again_with_its_experiment_and_its_name() {
    let place = Place::with_series(false);
    let (replay, experiment) = Replay::open(&place.bundle()).unwrap();
    assert_eq!((experiment.name.as_str(), experiment.question.as_str(), experiment.blocks), ("test", "Which?", 2));
    assert_eq!(replay.then, setup());
}

#[test]
fn the_bundles_data_is_used_where_this_machine_has_other() {
    let (place, scratch) = (Place::new(), tempfile::tempdir().unwrap());
    let (generated, _) = data::find(&place.here.data, scratch.path()).unwrap();
    place.add(&Setup { data: generated.checksum.clone(), ..setup() }, false);
    let (replay, _) = Replay::open(&place.bundle()).unwrap();
    let (same, said) = replay.data(&place.here.data, scratch.path()).unwrap();
    assert_eq!((same.checksum, said.as_str()), (generated.checksum, "data: what the bundle's runs read"));

    let place = Place::with_series(false);
    let (replay, _) = Replay::open(&place.bundle()).unwrap();
    let (_, said) = replay.data(&place.here.data, scratch.path()).unwrap();
    assert!(said.ends_with("not what the bundle's runs read, which the bundle does not hold"), "{said}");
}

#[test]
fn data_of_the_bundle_is_unpacked_only_where_it_is_what_the_runs_read() {
    let (place, scratch) = (Place::with_series(false), tempfile::tempdir().unwrap());
    let bundle = Bundle::open(&place.bundle()).unwrap();
    let put_in = |checksum: &str| {
        use crate::series::bundle::{Contents, Entry, write};
        let names = bundle.folder().names().unwrap().into_iter();
        let mut entries: Vec<Entry> =
            names.map(|name| Entry { contents: Contents::File(bundle.folder().path().join(&name)), name }).collect();
        let mut setup = setup();
        setup.data = checksum.into();
        entries.retain(|entry| entry.name != "setup.json");
        let text = serde_json::to_vec(&setup).unwrap();
        entries.push(Entry { name: "setup.json".into(), contents: Contents::Bytes(text) });
        entries.push(Entry { name: "data/ny00001_uf1.zip".into(), contents: Contents::Bytes(b"segment".to_vec()) });
        let file = place.folder.path().join("with-data.zip");
        write(&file, bundle.manifest().clone(), entries).unwrap();
        Replay::open(&file).unwrap().0
    };
    let error = put_in("0000").data(&place.here.data, scratch.path()).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Bundle);
    let once = tempfile::tempdir().unwrap();
    let unpacked = put_in("0000").bundle.unpack_large(Kind::Data, once.path()).unwrap();
    let checksum = DataSet::of(unpacked).unwrap().checksum;
    let again = tempfile::tempdir().unwrap();
    let (data, said) = put_in(&checksum).data(&place.here.data, again.path()).unwrap();
    assert_eq!((data.checksum, said.as_str()), (checksum, "data: the bundle's"));
}

#[test]
fn a_series_goes_on_with_what_its_runs_read_whatever_is_in_the_folder_now() {
    let (place, scratch) = (Place::new(), tempfile::tempdir().unwrap());
    let (generated, _) = data::find(&place.here.data, scratch.path()).unwrap();
    let series = place.add(&Setup { data: generated.checksum.clone(), ..setup() }, false);
    std::fs::create_dir(&place.here.data).unwrap();
    for name in ["nygeo_uf1.zip", "ny00001_uf1.zip"] {
        std::fs::write(place.here.data.join(name), name).unwrap();
    }
    let (same, said) = data_of_rest(&series, None, &place.here.data, scratch.path()).unwrap();
    assert_eq!((same.checksum, said.as_str()), (generated.checksum, "data: what the series' runs read so far"));
}

#[test]
fn what_repeats_a_bundle_remembers_which_and_asks_for_it_where_only_that_may_have_its_data() {
    let (place, scratch) = (Place::with_series(false), tempfile::tempdir().unwrap());
    let series = Folder::open(&place.here.results, "2026-11-20-test").unwrap();
    let file = place.bundle();
    let rest = |replay: Option<&Replay>| data_of_rest(&series, replay, &place.here.data, scratch.path());
    assert!(rest(None).is_ok(), "of a series of its own the setups tell");
    let error = Replay::of_rest(&file, &series).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Usage);
    assert!(error.to_string().contains("repeats no bundle"), "{error}");

    let repeats = Repeats::of(&Bundle::open(&file).unwrap());
    series.save_repeats(&repeats).unwrap();
    assert_eq!((series.repeats().unwrap(), repeats.file.as_str()), (Some(repeats.clone()), "test.zip"));
    let error = rest(None).unwrap_err();
    assert_eq!(Failure::exit_of(&error), Exit::Data);
    assert!(error.to_string().contains("./lab run test.zip --resume 2026-11-20-test"), "{error}");
    let replay = Replay::of_rest(&file, &series).unwrap();
    assert!(rest(Some(&replay)).unwrap().1.contains("not what the bundle's runs read"));

    series.save_repeats(&Repeats { checksum: "0".repeat(64), ..repeats }).unwrap();
    let error = Replay::of_rest(&file, &series).unwrap_err();
    assert!(error.to_string().contains("has another checksum"), "{error}");
    assert!(Bundle::open(&place.bundle()).unwrap().manifest().file("repeats.json").is_none());
}

#[test]
fn a_link_of_the_same_name_that_is_something_else_here_is_told() {
    let mut run = crate::wire::testing::record(1, crate::model::Scheme::Threads, 9_000.0);
    assert!(other_links(std::slice::from_ref(&run), &Profiles::shipped()).is_empty(), "nothing is known of it");
    let was = LinkProfile { queued: true, ..LinkProfile::local() };
    run.conditions.link_asked = Some(was);
    let other = other_links(&[run.clone(), run], &Profiles::shipped());
    assert_eq!(other.len(), 1, "{other:?}");
    assert!(other[0].starts_with("the link local was "), "{other:?}");
}
