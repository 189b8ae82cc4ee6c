//! A record of confirmed fraud outlives its person by a basis, a key, an expiry and a contest of its own (O40), and searches against
//! fraud compare with it (O9).

use age::x25519::Identity;
use lethe_proto::v1::add_watchlist_entry_request::Source;
use lethe_proto::v1::{
    self, AgeBand, DecisionBand, ErasureState, ErrorReason, Jurisdiction, LawfulBasis, Purpose, RightsRequestKind,
    WatchlistDecision as Decision, WatchlistEntryState as State, WatchlistKind as Kind,
};
use lethe_tests::residue::{Needles, Subject, files};
use lethe_tests::{Answer, Caller, Cli, Faces, Refused, Tenant, Vault, now, request_id};
use prost_types::Timestamp;
use tonic::Code;

use crate::export::{archive, opened, read};

/// Enrols somebody and puts the template on a list; the entry.
async fn listed(bank: &Tenant, list: &str, subject: &str, face: &[f32]) -> v1::WatchlistEntry {
    let template = bank.enroller().enroll(subject, face).await.unwrap().template.unwrap().name;
    let analyst = bank.analyst();
    analyst.ask(analyst.listing_of(list, &template)).await.unwrap()
}

async fn bank(vault: &Vault) -> Tenant {
    let bank = vault.tenant("bank").await;
    bank.analyst().keep_watchlist("fraud", Kind::ConfirmedFraud).await.unwrap();
    bank.analyst().keep_watchlist("masks", Kind::KnownSpoof).await.unwrap();
    bank
}

async fn entries(caller: &Caller, list: &str) -> Answer<Vec<v1::WatchlistEntry>> {
    let (parent, purpose) = (format!("{}/watchlists/{list}", caller.tenant_name()), Purpose::FraudPrevention.into());
    let mut request = v1::ListWatchlistEntriesRequest { parent, purpose, page_size: 2, page_token: String::new() };
    let mut entries = Vec::new();
    loop {
        let page = caller.ask(request.clone()).await?;
        entries.extend(page.entries);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(entries);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_outlives_its_person_and_still_hits_and_leads_to_nobody() {
    let vault = Vault::setup().apart().start().await;
    let bank = bank(&vault).await;
    let (officer, analyst) = (bank.privacy_officer(), bank.analyst());
    let [ada, bea] = Subject::strangers(2, 811).try_into().unwrap();
    let mut needles = Needles::new();
    ada.look_for(&mut needles, "ada", 2);
    let entry = listed(&bank, "fraud", &ada.id, &ada.face(0)).await;
    assert_eq!((entry.state(), entry.kind()), (State::Active, Kind::ConfirmedFraud));
    assert!(!format!("{entry:?}").contains(&ada.id), "{entry:?}");
    bank.enroller().enroll(&bea.id, &bea.face(0)).await.unwrap();
    let mask = Faces::seeded(812).person(7).selfie();
    let masked = analyst.ask(analyst.listing_of_mask("masks", &mask)).await.unwrap();

    let found = analyst.search_fraud(&ada.face(0)).await.unwrap();
    assert_eq!(found.watchlist_compared, 2);
    let [hit] = found.watchlist_matches.try_into().unwrap();
    assert_eq!((&hit.entry, hit.kind(), hit.band()), (&entry.name, Kind::ConfirmedFraud, DecisionBand::Match));
    assert!(hit.score > 0.999 && found.matches.len() == 1, "{hit:?}");
    // Other purposes compare with no list.
    let found = analyst.search(&ada.face(0)).await.unwrap();
    assert_eq!((found.watchlist_compared, found.watchlist_matches.len(), found.matches.len()), (0, 0, 1));

    assert_eq!(officer.erase(&ada.id).await.unwrap().state(), ErasureState::Shredded);
    for restarted in [false, true] {
        if restarted {
            vault.crash().await;
            // The slots of entries have owners: an epoch after a start redraws none of them.
            officer.erase(&bea.id).await.unwrap();
        }
        let found = analyst.search_fraud(&ada.face(0)).await.unwrap();
        assert_eq!((found.matches.len(), found.watchlist_compared), (0, 2));
        assert_eq!(found.watchlist_matches[0].entry, entry.name);
        assert_eq!(analyst.watched(&mask).await, std::slice::from_ref(&masked.name));
        assert_eq!(officer.entry(&entry.name).await.unwrap(), entry);
    }
    // Nothing that names her is in any file, nor is an embedding of hers in clear.
    vault.stop().await;
    let scanner = needles.scanner();
    for file in files(vault.home().path()).unwrap() {
        let traces = scanner.scan_file(&file).unwrap();
        assert!(traces.is_empty(), "{}: {traces:?}", file.display());
    }
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contested_entry_is_not_compared_until_somebody_else_decides() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let (officer, analyst) = (bank.privacy_officer(), bank.analyst());
    let both = bank.with_roles(&[v1::Role::FraudAnalyst, v1::Role::Reviewer]).await;
    let face = Faces::seeded(813).person(0).selfie();
    let template = bank.enroller().enroll("ada", &face).await.unwrap().template.unwrap().name;
    let entry = both.ask(both.listing_of("fraud", &template)).await.unwrap().name;
    assert_eq!(analyst.watched(&face).await, std::slice::from_ref(&entry));
    let uncontested = bank.reviewer().judge(&entry, Decision::Upheld).await.refused();
    uncontested.assert_is(Code::FailedPrecondition, ErrorReason::WatchlistEntryNotContested);

    let asked = officer.opens(RightsRequestKind::Complaint, Some("ada")).await.unwrap().name;
    let contesting = |request: String| v1::ContestWatchlistEntryRequest {
        name: entry.clone(),
        purpose: Purpose::DataSubjectRequest.into(),
        request_id: String::new(),
        request,
    };
    let nobodys = officer.ask(contesting(format!("{}/requests/{}", bank.name(), "0".repeat(32)))).await.refused();
    nobodys.assert_is(Code::NotFound, ErrorReason::RequestNotFound);
    let answered = officer.opens(RightsRequestKind::Complaint, Some("ada")).await.unwrap().name;
    let (refused, why) = (v1::RightsRequestOutcome::Refused, v1::RightsRefusalReason::RequesterNotVerified);
    officer.closes(&answered, refused, why).await.unwrap();
    let late = officer.ask(contesting(answered)).await.refused();
    late.assert_is(Code::FailedPrecondition, ErrorReason::RequestClosed);
    let contested = officer.ask(contesting(asked.clone())).await.unwrap();
    assert_eq!((contested.state(), &contested.contest_request), (State::Contested, &asked));
    assert_eq!(officer.contest_entry(&entry).await.unwrap(), contested, "a repeat changes nothing");
    let found = analyst.search_fraud(&face).await.unwrap();
    assert_eq!((found.watchlist_compared, found.watchlist_matches.len()), (0, 0));
    vault.crash().await;
    assert!(analyst.watched(&face).await.is_empty());

    let dependent = both.judge(&entry, Decision::Upheld).await.refused();
    dependent.assert_is(Code::PermissionDenied, ErrorReason::ReviewerNotIndependent);
    assert_eq!(dependent.metadata()["obligation"], "O40");
    let upheld = bank.reviewer().judge(&entry, Decision::Upheld).await.unwrap().entry.unwrap();
    assert!(upheld.state() == State::Active && upheld.contest_time.is_none() && upheld.uphold_time.is_some());
    assert_eq!(analyst.watched(&face).await, std::slice::from_ref(&entry));

    officer.contest_entry(&entry).await.unwrap();
    let decided = bank.reviewer().judge(&entry, Decision::Rejected).await.unwrap();
    assert!(decided.entry.is_none());
    let erasure = decided.erasure.unwrap();
    assert_eq!(erasure.state(), ErasureState::Shredded);
    officer.receipt(&erasure.receipt).await.unwrap();
    assert!(analyst.watched(&face).await.is_empty());
    officer.entry(&entry).await.refused().assert_is(Code::NotFound, ErrorReason::WatchlistEntryNotFound);
    assert!(entries(&analyst, "fraud").await.unwrap().is_empty());
    // The person is there as before.
    assert!(analyst.finds("ada", &face).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_is_shredded_and_a_list_goes_when_it_is_empty() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let analyst = bank.analyst();
    let people = Faces::seeded(814).strangers(3);
    let mut names = Vec::new();
    for (number, person) in people.iter().enumerate() {
        names.push(listed(&bank, "fraud", &format!("p-{number}"), &person.selfie()).await.name);
    }
    let mut all: Vec<_> = entries(&bank.auditor(), "fraud").await.unwrap().into_iter().map(|one| one.name).collect();
    all.sort();
    names.sort();
    assert_eq!(all, names);
    let delete = |list: &str| v1::DeleteWatchlistRequest {
        name: format!("{}/watchlists/{list}", bank.name()),
        purpose: Purpose::FraudPrevention.into(),
        request_id: String::new(),
    };
    let full = analyst.ask(delete("fraud")).await.refused();
    full.assert_is(Code::FailedPrecondition, ErrorReason::WatchlistNotEmpty);
    let removal = analyst.removal(&names[0]);
    let first = analyst.ask(removal.clone()).await.unwrap();
    assert_eq!(first.state(), ErasureState::Shredded);
    assert_eq!(analyst.ask(removal).await.unwrap(), first, "a repeat gives the same receipt");
    let gone = analyst.ask(analyst.removal(&names[0])).await.refused();
    gone.assert_is(Code::NotFound, ErrorReason::WatchlistEntryNotFound);
    for name in &names[1..] {
        bank.privacy_officer().ask(analyst.removal(name)).await.unwrap();
    }
    assert_eq!(analyst.search_fraud(&people[1].selfie()).await.unwrap().watchlist_compared, 0);
    analyst.ask(delete("fraud")).await.unwrap();
    analyst.ask(delete("fraud")).await.refused().assert_is(Code::NotFound, ErrorReason::WatchlistNotFound);
    let lists = v1::ListWatchlistsRequest { parent: bank.name(), purpose: Purpose::Audit.into() };
    let lists = bank.auditor().ask(lists).await.unwrap().watchlists;
    assert_eq!(
        lists.iter().map(|list| list.name.as_str()).collect::<Vec<_>>(),
        [format!("{}/watchlists/masks", bank.name())]
    );
    // Of the same kind it is the same list; of another it is refused; and names of persons are none.
    assert_eq!(analyst.keep_watchlist("masks", Kind::KnownSpoof).await.unwrap(), lists[0]);
    let other = analyst.keep_watchlist("masks", Kind::ConfirmedFraud).await.refused();
    other.assert_is(Code::AlreadyExists, ErrorReason::WatchlistExists);
    let personal = analyst.keep_watchlist("ann@example.org", Kind::KnownSpoof).await.refused();
    personal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange);
    personal.assert_field("watchlist_id");
    for number in 1..64 {
        analyst.keep_watchlist(&format!("list-{number}"), Kind::KnownSpoof).await.unwrap();
    }
    let many = analyst.keep_watchlist("list-64", Kind::KnownSpoof).await.refused();
    many.assert_is(Code::ResourceExhausted, ErrorReason::WatchlistLimited);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entry_rests_on_and_whom_it_may_be_of_is_asked() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let (analyst, enroller) = (bank.analyst(), bank.enroller());
    let people = Faces::seeded(815);
    let face = |number| people.person(number).selfie();
    let template = enroller.enroll("ada", &face(0)).await.unwrap().template.unwrap().name;
    let good = analyst.listing_of("fraud", &template);
    let year = |years: i64| Some(Timestamp { seconds: now().seconds + years * 366 * 86_400, nanos: 0 });
    let masked = |list: &str| analyst.listing_of_mask(list, &face(9));
    let with = |change: &dyn Fn(&mut v1::AddWatchlistEntryRequest)| {
        let mut request = v1::AddWatchlistEntryRequest { request_id: request_id(), ..good.clone() };
        change(&mut request);
        request
    };
    let long = Some(Timestamp { seconds: now().seconds - 5 * 366 * 86_400, nanos: 0 });
    for (field, reason, request) in [
        ("basis", ErrorReason::WatchlistBasisRevocable, with(&|it| it.basis = LawfulBasis::ExplicitConsent.into())),
        ("basis", ErrorReason::WatchlistBasisRevocable, with(&|it| it.basis = LawfulBasis::Contract.into())),
        ("basis", ErrorReason::FieldMissing, with(&|it| it.basis = 0)),
        ("reference", ErrorReason::FieldMissing, with(&|it| it.reference.clear())),
        ("reference", ErrorReason::FieldOutOfRange, with(&|it| it.reference = "two words".to_owned())),
        ("confirm_time", ErrorReason::FieldOutOfRange, with(&|it| it.confirm_time = year(1))),
        ("confirm_time", ErrorReason::FieldMissing, with(&|it| it.confirm_time = None)),
        ("expire_time", ErrorReason::FieldOutOfRange, with(&|it| it.expire_time = year(6))),
        ("expire_time", ErrorReason::FieldOutOfRange, with(&|it| it.confirm_time = long)),
        ("expire_time", ErrorReason::FieldOutOfRange, with(&|it| it.expire_time = it.confirm_time)),
        ("source", ErrorReason::FieldMissing, with(&|it| it.source = None)),
        ("capture", ErrorReason::WatchlistSourceMismatch, masked("fraud")),
        ("template", ErrorReason::WatchlistSourceMismatch, analyst.listing_of("masks", &template)),
    ] {
        let refused = analyst.ask(request).await.refused();
        refused.assert_is(Code::InvalidArgument, reason);
        refused.assert_field(field);
    }
    for (request, reason) in [
        (analyst.listing_of("none", &template), ErrorReason::WatchlistNotFound),
        (analyst.listing_of("fraud", &template.replace("ada", "nobody")), ErrorReason::SubjectNotFound),
        (
            analyst.listing_of("fraud", &format!("{}/templates/{}", analyst.subject_name("ada"), "0".repeat(32))),
            ErrorReason::TemplateNotFound,
        ),
    ] {
        analyst.ask(request).await.refused().assert_is(Code::NotFound, reason);
    }

    // Nobody whose law asks for a written consent first, with one or without; and no minor, whoever consents.
    let written = |giver| enroller.consent(Purpose::FraudPrevention, v1::ConsentManner::Written, giver);
    for (subject, law, age, giver, reason) in [
        ("ill", Jurisdiction::Illinois, AgeBand::Adult, v1::ConsentGiver::Subject, ErrorReason::JurisdictionForbids),
        ("tex", Jurisdiction::Texas, AgeBand::Adult, v1::ConsentGiver::Subject, ErrorReason::JurisdictionForbids),
        ("was", Jurisdiction::Washington, AgeBand::Adult, v1::ConsentGiver::Subject, ErrorReason::JurisdictionForbids),
        ("kid", Jurisdiction::Other, AgeBand::Under16, v1::ConsentGiver::Guardian, ErrorReason::MinorNotListed),
    ] {
        let template = enroller.enroll(subject, &face(1)).await.unwrap().template.unwrap().name;
        enroller.record(subject, written(giver)).await.unwrap();
        enroller.describe(subject, law, age).await.unwrap();
        let refused = analyst.ask(analyst.listing_of("fraud", &template)).await.refused();
        refused.assert_is(Code::FailedPrecondition, reason);
    }
    assert!(entries(&analyst, "fraud").await.unwrap().is_empty());

    // A repeat gives the first answer; what says something else under the same id, or was removed since, does not.
    for (list, request) in [("fraud", good.clone()), ("masks", masked("masks"))] {
        let entry = analyst.ask(request.clone()).await.unwrap();
        assert_eq!(analyst.ask(request.clone()).await.unwrap(), entry);
        assert_eq!(entries(&analyst, list).await.unwrap(), std::slice::from_ref(&entry));
        let another = v1::AddWatchlistEntryRequest { reference: "case-18".to_owned(), ..request.clone() };
        analyst.ask(another).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
        if let Some(Source::Capture(_)) = &request.source {
            let source = analyst.listing_of_mask("masks", &face(8)).source;
            let another = v1::AddWatchlistEntryRequest { source, ..request.clone() };
            analyst.ask(another).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
        }
        analyst.ask(analyst.removal(&entry.name)).await.unwrap();
        analyst.ask(request).await.refused().assert_is(Code::NotFound, ErrorReason::WatchlistEntryNotFound);
    }
}

/// Another tenant's lists are never compared with, nor named.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_their_tenants_own() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let shop = vault.tenant("shop").await;
    let face = Faces::seeded(816).person(0).selfie();
    let entry = listed(&bank, "fraud", "ada", &face).await.name;
    shop.analyst().keep_watchlist("fraud", Kind::ConfirmedFraud).await.unwrap();
    let found = shop.analyst().search_fraud(&face).await.unwrap();
    assert_eq!((found.watchlist_compared, found.watchlist_matches.len()), (0, 0));
    let theirs = entry.replace("tenants/bank", "tenants/shop");
    shop.privacy_officer()
        .entry(&theirs)
        .await
        .refused()
        .assert_is(Code::NotFound, ErrorReason::WatchlistEntryNotFound);
    shop.analyst().entry(&entry).await.refused().assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let template = bank.enroller().templates("ada").await.unwrap().remove(0).name;
    let refused = shop.analyst().ask(shop.analyst().listing_of("fraud", &template)).await.refused();
    refused.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange);
    refused.assert_field("template");
    // With the tenant goes everything.
    assert_eq!(vault.operator().shred(&bank).await.unwrap().state(), ErasureState::Shredded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_expires_is_shredded_by_the_sweep() {
    let vault = Vault::setup().set("retention.interval_s", 1).start().await;
    let bank = bank(&vault).await;
    let analyst = bank.analyst();
    let face = Faces::seeded(817).person(0).selfie();
    let template = bank.enroller().enroll("ada", &face).await.unwrap().template.unwrap().name;
    let soon = Timestamp { seconds: now().seconds + 3, nanos: 0 };
    let request = v1::AddWatchlistEntryRequest { expire_time: Some(soon), ..analyst.listing_of("fraud", &template) };
    let entry = analyst.ask(request).await.unwrap();
    let gone = async {
        while !entries(&analyst, "fraud").await.unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(lethe_tests::PATIENCE, gone).await.expect("the entry goes");
    assert!(now().seconds >= soon.seconds, "not before its time");
    assert_eq!(analyst.search_fraud(&face).await.unwrap().watchlist_compared, 0);
    bank.privacy_officer().entry(&entry.name).await.refused();
    assert!(analyst.finds("ada", &face).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_archive_tells_of_entries_and_the_command_line_keeps_lists() {
    let vault = Vault::fresh().await;
    let bank = bank(&vault).await;
    let (analyst, officer) = (bank.analyst(), bank.privacy_officer());
    let faces = Faces::seeded(818);
    let entry = listed(&bank, "fraud", "ada", &faces.person(0).selfie()).await;
    let removed = listed(&bank, "fraud", "ada", &faces.person(0).again()).await;
    analyst.ask(analyst.removal(&removed.name)).await.unwrap();
    listed(&bank, "fraud", "bea", &faces.person(1).selfie()).await;
    officer.contest_entry(&entry.name).await.unwrap();
    let ada = Identity::generate();
    let told = read(&vault, &opened(&archive(&officer, "ada", &ada).await, &ada).unwrap()).unwrap();
    let listed = told["manifest"]["watchlist_entries"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["name"], entry.name);
    assert_eq!(
        ["kind", "lawful_basis", "reference", "state"].map(|field| listed[0][field].as_str().unwrap()),
        ["confirmed_fraud", "legitimate_interests", "case-17", "contested"]
    );

    let run = async |key: &str, arguments: &[&str]| {
        let words = ["watchlist"].iter().chain(arguments).chain(["--tenant", "bank"].iter()).copied();
        Cli::new(words).holding(&vault, key).await.run()
    };
    let key = |caller: &Caller| caller.key().unwrap().to_owned();
    let (analysts, officers, reviewers) = (key(&analyst), key(&officer), key(&bank.reviewer()));
    let made = run(&analysts, &["create", "late", "--kind", "confirmed_fraud"]).await.one();
    assert_eq!(made["name"], format!("{}/watchlists/late", bank.name()));
    let template = bank.enroller().templates("bea").await.unwrap().remove(0).name;
    let day = |days: i64| Timestamp { seconds: now().seconds + days * 86_400, nanos: 0 }.to_string();
    let (confirmed, expire) = (day(-300), day(100));
    let adding = [
        "add",
        "late",
        "--template",
        &template,
        "--basis",
        "legal_claims",
        "--reference",
        "case-9",
        "--confirmed",
        &confirmed,
        "--expires",
        &expire,
    ];
    let added = run(&analysts, &adding).await.one();
    assert_eq!((&added["state"], &added["expire_time"]), (&"ACTIVE".into(), &expire.clone().into()), "{added}");
    let name = added["name"].as_str().unwrap();
    assert_eq!(run(&officers, &["entries", "late"]).await.one()["name"], name);
    assert_eq!(run(&officers, &["contest", name]).await.one()["state"], "CONTESTED");
    assert_eq!(run(&reviewers, &["decide", name, "--decision", "upheld"]).await.one()["state"], "ACTIVE");
    assert_eq!(run(&officers, &["get", name]).await.one()["reference"], "case-9");
    let removed = run(&analysts, &["remove", name, "--yes"]).await.one();
    assert_eq!(removed["state"], "SHREDDED", "{removed}");
    run(&analysts, &["delete", "late"]).await;
    assert_eq!(run(&analysts, &["list"]).await.said.len(), 2);
}
