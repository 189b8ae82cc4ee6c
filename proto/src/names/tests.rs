use std::fmt::{Debug, Display};

use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

/// A good name of each kind.
const GOOD: [&str; 10] = [
    "tenants/acme",
    "tenants/acme/subjects/A_2.3~x",
    "tenants/acme/subjects/7/templates/0123456789abcdef0123456789abcdef",
    "tenants/acme/receipts/0123456789abcdef0123456789abcdef",
    "tenants/acme/credentials/0123456789abcdef0123456789abcdef",
    "tenants/acme/modelProfiles/edgeface_xs@1.0",
    "tenants/acme/log",
    "vault/log",
    "vault/credentials/0123456789abcdef0123456789abcdef",
    "vault/receipts/0123456789abcdef0123456789abcdef",
];

/// Segments to spoil a name with, or by chance to turn it into another.
const WORDS: [&str; 12] = ["tenants", "subjects", "receipts", "log", "vault", "acme", "m@1", ID, "", "é", "..", "A"];

/// Asserts what a text is refused for.
#[track_caller]
fn refuses<N: FromStr<Err = NameError> + Debug>(text: &str, part: Part, problem: Problem) {
    match text.parse::<N>() {
        Ok(name) => panic!("accepted {text} as {name:?}"),
        Err(error) => assert_eq!((error.part(), error.problem()), (part, problem), "{text}"),
    }
}

/// Formats what a text is parsed to.
fn again<N: FromStr<Err = NameError> + Display>(text: &str) -> Result<String, NameError> {
    text.parse::<N>().map(|name| name.to_string())
}

#[test]
fn well_formed_names_format_to_the_same_text() -> Result<(), NameError> {
    let [tenant, subject, template, receipt, credential, profile, log, vault, operator, shredded] = GOOD;
    assert_eq!(again::<TenantName>(tenant)?, tenant);
    assert_eq!(again::<SubjectName>(subject)?, subject);
    assert_eq!(again::<TemplateName>(template)?, template);
    assert_eq!(again::<ReceiptName>(receipt)?, receipt);
    assert_eq!(again::<ReceiptName>(shredded)?, shredded);
    assert_eq!(again::<CredentialName>(credential)?, credential);
    assert_eq!(again::<CredentialName>(operator)?, operator);
    assert_eq!(again::<CredentialParent>(tenant)?, tenant);
    assert_eq!(again::<CredentialParent>("vault")?, "vault");
    assert_eq!(again::<ModelProfileName>(profile)?, profile);
    assert_eq!(again::<LogName>(log)?, log);
    assert_eq!(again::<LogName>(vault)?, vault);
    Ok(())
}

#[test]
fn malformed_tenants_are_refused() {
    use Problem::{Character, Empty, Missing, TooLong, TooShort, Unexpected};
    let long = format!("tenants/{}", "a".repeat(64));
    refuses::<TenantName>("", Part::Collection, Unexpected);
    refuses::<TenantName>("tenants", Part::Tenant, Missing);
    refuses::<TenantName>("tenant/acme", Part::Collection, Unexpected);
    refuses::<TenantName>("Tenants/acme", Part::Collection, Unexpected);
    refuses::<TenantName>("/tenants/acme", Part::Collection, Unexpected);
    refuses::<TenantName>("tenants/", Part::Tenant, Empty);
    refuses::<TenantName>("tenants/ab", Part::Tenant, TooShort(3));
    refuses::<TenantName>(&long, Part::Tenant, TooLong(63));
    refuses::<TenantName>("tenants/1acme", Part::Tenant, Character);
    refuses::<TenantName>("tenants/-acme", Part::Tenant, Character);
    refuses::<TenantName>("tenants/Acme", Part::Tenant, Character);
    refuses::<TenantName>("tenants/ac_me", Part::Tenant, Character);
    refuses::<TenantName>("tenants/acmé", Part::Tenant, Character);
    refuses::<TenantName>("tenants/acme\n", Part::Tenant, Character);
    refuses::<TenantName>("tenants/acme/", Part::Collection, Unexpected);
    refuses::<TenantName>("tenants/acme/subjects/7", Part::Collection, Unexpected);
}

#[test]
fn malformed_subjects_are_refused() {
    use Problem::{Character, Empty, Missing, TooLong, Unexpected};
    let long = format!("tenants/acme/subjects/{}", "a".repeat(129));
    refuses::<SubjectName>("tenants/acme", Part::Collection, Missing);
    refuses::<SubjectName>("tenants/acme/subjects", Part::Subject, Missing);
    refuses::<SubjectName>("tenants/acme/subjects/", Part::Subject, Empty);
    refuses::<SubjectName>(&long, Part::Subject, TooLong(128));
    refuses::<SubjectName>("tenants/acme/subjects/a b", Part::Subject, Character);
    refuses::<SubjectName>("tenants/acme/subjects/a%2Fb", Part::Subject, Character);
    refuses::<SubjectName>("tenants/acme/subjects/ann@example.org", Part::Subject, Character);
    refuses::<SubjectName>("tenants/acme/subjects/7/x", Part::Collection, Unexpected);
    refuses::<SubjectName>("tenants/ACME/subjects/7", Part::Tenant, Character);
}

#[test]
fn backups_are_numbers_in_one_spelling() {
    use Problem::{Character, Empty, Missing, TooLong, Unexpected};
    let name: BackupName = "backups/42".parse().unwrap();
    assert_eq!((name.backup(), name.to_string().as_str()), ("42", "backups/42"));
    refuses::<BackupName>("backups", Part::Backup, Missing);
    refuses::<BackupName>("backups/", Part::Backup, Empty);
    refuses::<BackupName>("backups/0", Part::Backup, Character);
    refuses::<BackupName>("backups/042", Part::Backup, Character);
    refuses::<BackupName>("backups/-1", Part::Backup, Character);
    refuses::<BackupName>("backups/12345678901", Part::Backup, TooLong(10));
    refuses::<BackupName>("backups/1/x", Part::Collection, Unexpected);
    let mirror = format!("mirrors/{ID}");
    assert_eq!(mirror.parse::<MirrorName>().unwrap().to_string(), mirror);
    refuses::<MirrorName>("mirrors/1", Part::Mirror, Problem::TooShort(32));
}

#[test]
fn ids_given_by_the_vault_are_32_lower_case_hexadecimal_digits() {
    use Problem::{Character, TooLong, TooShort};
    let upper = format!("tenants/acme/receipts/{}", ID.to_uppercase());
    let long = format!("tenants/acme/credentials/{ID}0");
    let short = format!("tenants/acme/subjects/7/templates/{}", &ID[1..]);
    refuses::<ReceiptName>(&upper, Part::Receipt, Character);
    refuses::<CredentialName>(&long, Part::Credential, TooLong(32));
    refuses::<TemplateName>(&short, Part::Template, TooShort(32));
}

#[test]
fn malformed_credentials_are_refused() {
    use Problem::{Character, Missing, TooShort, Unexpected};
    refuses::<CredentialName>("vault", Part::Collection, Missing);
    refuses::<CredentialName>("vault/credentials", Part::Credential, Missing);
    refuses::<CredentialName>("vault/log", Part::Collection, Unexpected);
    refuses::<CredentialName>("tenants/vault", Part::Collection, Missing);
    refuses::<CredentialName>("tenants", Part::Tenant, Missing);
    refuses::<CredentialName>(&format!("tenants/Acme/credentials/{ID}"), Part::Tenant, Character);
    refuses::<CredentialName>(&format!("vault/credentials/{ID}/x"), Part::Collection, Unexpected);
    refuses::<CredentialParent>("vault/", Part::Collection, Unexpected);
    refuses::<CredentialParent>("tenants/ab", Part::Tenant, TooShort(3));
}

#[test]
fn malformed_model_profiles_are_refused() {
    use Problem::{Character, Empty, Missing, TooLong, Unexpected};
    let long = format!("tenants/acme/modelProfiles/dlib@{}", "1".repeat(64));
    refuses::<ModelProfileName>("tenants/acme/modelProfiles", Part::Model, Missing);
    refuses::<ModelProfileName>("tenants/acme/modelProfiles/dlib", Part::Version, Missing);
    refuses::<ModelProfileName>("tenants/acme/modelProfiles/@1", Part::Model, Empty);
    refuses::<ModelProfileName>("tenants/acme/modelProfiles/dlib@", Part::Version, Empty);
    refuses::<ModelProfileName>("tenants/acme/modelProfiles/dlib@1@2", Part::Version, Character);
    refuses::<ModelProfileName>("tenants/acme/modelProfiles/Dlib@1", Part::Model, Character);
    refuses::<ModelProfileName>(&long, Part::Version, TooLong(63));
    refuses::<ModelProfileName>("tenants/acme/profiles/dlib@1", Part::Collection, Unexpected);
    refuses::<ModelProfileName>("tenants/acme/modelProfiles/d@1/x", Part::Collection, Unexpected);
}

#[test]
fn malformed_logs_are_refused() {
    use Problem::{Missing, TooShort, Unexpected};
    refuses::<LogName>("vault", Part::Collection, Unexpected);
    refuses::<LogName>("vault/log/", Part::Collection, Unexpected);
    refuses::<LogName>("tenants/acme", Part::Collection, Missing);
    refuses::<LogName>("tenants/acme/logs", Part::Collection, Unexpected);
    refuses::<LogName>("tenants/acme/log/1", Part::Collection, Unexpected);
    refuses::<LogName>("tenants/a/log", Part::Tenant, TooShort(3));
}

#[test]
fn a_segment_cannot_smuggle_in_another() {
    assert!(SubjectName::new("acme", "7/templates/x").is_err());
    assert!(ModelProfileName::new("acme", "dlib@1", "2").is_err());
    assert!(TenantName::new("acme/log").is_err());
}

#[test]
fn errors_name_the_part_and_the_form_and_not_the_value() {
    let text = match "tenants/acme/subjects/ann@example.org".parse::<SubjectName>() {
        Ok(name) => panic!("accepted {name:?}"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        text,
        "subject has a character that is not allowed there; \
         a name tenants/{tenant}/subjects/{subject} is wanted"
    );
}

#[test]
fn an_applicant_id_never_shows_in_debug() -> Result<(), NameError> {
    let subject = SubjectName::new("acme", "applicant-77")?;
    let template = TemplateName::new("acme", "applicant-77", ID)?;
    assert_eq!(format!("{subject:?}"), "SubjectName(tenants/acme/subjects/…)");
    assert!(!format!("{template:?}").contains("77"));
    Ok(())
}

#[test]
fn parents_are_prefixes() -> Result<(), NameError> {
    let template = TemplateName::new("acme", "7", ID)?;
    assert_eq!(template.parent().to_string(), "tenants/acme/subjects/7");
    assert_eq!(template.parent().parent().to_string(), "tenants/acme");
    Ok(())
}

proptest! {
    #[test]
    fn names_made_of_good_segments_come_back(
        tenant in "[a-z][a-z0-9-]{2,62}",
        subject in "[A-Za-z0-9._~-]{1,128}",
        id in "[0-9a-f]{32}",
        model in "[a-z0-9._-]{1,63}",
        version in "[a-z0-9._-]{1,63}",
    ) {
        let template = TemplateName::new(&tenant, &subject, &id)?;
        prop_assert_eq!(template.to_string().parse::<TemplateName>()?, template.clone());
        prop_assert_eq!((template.tenant(), template.subject()), (&*tenant, &*subject));
        prop_assert_eq!(template.template(), &id);

        let profile = ModelProfileName::new(&tenant, &model, &version)?;
        prop_assert_eq!(profile.to_string().parse::<ModelProfileName>()?, profile.clone());
        prop_assert_eq!((profile.model(), profile.version()), (&*model, &*version));

        let log = LogName::Tenant(TenantName::new(&tenant)?);
        prop_assert_eq!(log.to_string().parse::<LogName>()?, log);

        let parent = CredentialParent::Tenant(TenantName::new(&tenant)?);
        let receipt = ReceiptName::new(parent.clone(), &id)?;
        prop_assert_eq!(receipt.to_string().parse::<ReceiptName>()?, receipt);
        let credential = CredentialName::new(parent, &id)?;
        prop_assert_eq!(credential.to_string().parse::<CredentialName>()?, credential);
    }

    /// Good names, and the near misses that one segment put in, out, or in place of another makes.
    #[test]
    fn whatever_parses_formats_to_the_same_text(
        good in prop::sample::select(GOOD.to_vec()),
        edit in 0..4,
        at in 0_usize..6,
        word in prop::sample::select(WORDS.to_vec()),
    ) {
        let mut segments: Vec<&str> = good.split('/').collect();
        let at = at % segments.len();
        match edit {
            0 => segments.insert(at, word),
            1 => segments[at] = word,
            2 => drop(segments.remove(at)),
            _ => {}
        }
        let text = segments.join("/");
        let results = [
            again::<TenantName>(&text),
            again::<SubjectName>(&text),
            again::<TemplateName>(&text),
            again::<ReceiptName>(&text),
            again::<CredentialName>(&text),
            again::<ModelProfileName>(&text),
            again::<LogName>(&text),
        ];
        let accepted: Vec<_> = results.into_iter().flatten().collect();
        // A text is the name of one kind of resource at most.
        prop_assert!(accepted.len() <= 1, "{:?}", accepted);
        prop_assert!(accepted.iter().all(|again| *again == text));
        prop_assert!(text != good || accepted.len() == 1, "{} was refused", good);
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,200}") {
        let _ = text.parse::<TemplateName>();
        let _ = text.parse::<ModelProfileName>();
        let _ = text.parse::<LogName>();
    }
}
