//! The load generator's side of the wire.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use lethe_proto::v1::audit_service_client::AuditServiceClient;
use lethe_proto::v1::authentication_service_client::AuthenticationServiceClient;
use lethe_proto::v1::enrollment_service_client::EnrollmentServiceClient;
use lethe_proto::v1::identification_service_client::IdentificationServiceClient;
use lethe_proto::v1::subject_service_client::SubjectServiceClient;
use lethe_proto::v1::tenant_service_client::TenantServiceClient;
use lethe_proto::v1::{
    AgeBand, AttestationPolicy, BatchEnrollRequest, Capture, CaptureKind, CaptureUse, CreateCredentialRequest,
    CreateModelProfileRequest, CreateTenantRequest, Credential, EnrollRequest, EraseSubjectRequest, ErasureState,
    GetReceiptRequest, LawfulBasis, ModelProfile, ModelVersion, PreviewErasuresRequest, Purpose, PurposeBasis,
    Retention, Role, SearchRequest, SearchResponse, Subject, SweepDuplicatesRequest, Tenant, Thresholds,
    UpdateSubjectRequest, VerifyRequest, VerifyResponse, batch_enroll_response,
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::Error;

/// The tenant that everything is measured on.
pub const TENANT: &str = "bench";

/// Score at which the generated people meet FMR 1e-6.
pub const THRESHOLD: f32 = 0.438;

/// How long the tenant keeps people.
const KEPT: &str = "P10Y";

/// Without an answer for this long, a server hangs: that ends the measurement, with an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections of one load generator: as many as a small fleet of clients would hold.
const CONNECTIONS: usize = 4;

/// A caller with its key, over a few connections used in turn.
pub struct Client {
    channels: Vec<Channel>,
    next: AtomicUsize,
    bearer: MetadataValue<Ascii>,
    dimension: usize,
}

#[derive(Clone)]
struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Wire = InterceptedService<Channel, Bearer>;

impl Client {
    /// Connects to `endpoint` as the holder of `key`, for embeddings of `dimension` values.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub async fn connect(endpoint: &str, key: &str, dimension: usize) -> Result<Self, Error> {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            let endpoint = Endpoint::from_shared(endpoint.to_owned())?.tcp_nodelay(true).timeout(PATIENCE);
            channels.push(endpoint.connect().await?);
        }
        let bearer = format!("Bearer {key}").parse();
        let bearer = bearer.map_err(|_| Error::invalid("the key is no metadata value"))?;
        Ok(Self { channels, next: AtomicUsize::new(0), bearer, dimension })
    }

    /// The same connections under another key.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the key cannot be sent.
    pub fn with_key(&self, key: &str) -> Result<Self, Error> {
        let bearer = format!("Bearer {key}").parse();
        let bearer = bearer.map_err(|_| Error::invalid("the key is no metadata value"))?;
        let next = AtomicUsize::new(0);
        Ok(Self { channels: self.channels.clone(), next, bearer, dimension: self.dimension })
    }

    fn wire(&self) -> Wire {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len();
        InterceptedService::new(self.channels[turn].clone(), Bearer(self.bearer.clone()))
    }

    /// Verifies; any answer of the server's is a good one.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub async fn verify(&self, request: VerifyRequest) -> Result<VerifyResponse, Error> {
        Ok(AuthenticationServiceClient::new(self.wire()).verify(request).await?.into_inner())
    }

    /// Searches, and insists that the whole gallery was covered.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Invalid`] for an incomplete answer.
    pub async fn search(&self, request: SearchRequest) -> Result<SearchResponse, Error> {
        let answer = IdentificationServiceClient::new(self.wire()).search(request).await?.into_inner();
        match &answer.completeness {
            Some(report) if report.complete && report.searched == report.gallery_size => Ok(answer),
            report => Err(Error::invalid(format!("an incomplete search: {report:?}"))),
        }
    }

    /// The names of all pairs of people who are as alike, and insists that the whole gallery was compared.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Invalid`] for a sweep that did not come to its end.
    pub async fn sweep(&self, threshold: f32) -> Result<Vec<(String, String)>, Error> {
        let request = SweepDuplicatesRequest {
            parent: parent(),
            purpose: Purpose::DuplicateDetection.into(),
            model: Some(model(self.dimension)),
            threshold: Some(threshold),
            miss_probability: None,
            page_token: String::new(),
        };
        let mut answers = IdentificationServiceClient::new(self.wire()).sweep_duplicates(request).await?.into_inner();
        let (mut pairs, mut complete) = (Vec::new(), false);
        while let Some(answer) = answers.message().await? {
            pairs.extend(answer.pairs.into_iter().map(|pair| (pair.subject, pair.other_subject)));
            complete = answer.complete && answer.compared == answer.gallery_size;
        }
        if complete { Ok(pairs) } else { Err(Error::invalid("a sweep did not come to its end")) }
    }

    /// Enrolls one person.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub async fn enroll(&self, identity: u64, embedding: &[f32]) -> Result<(), Error> {
        let request = EnrollRequest {
            parent: parent(),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: String::new(),
            subject_id: subject_id(identity),
            template: Some(capture(embedding, self.dimension)),
        };
        EnrollmentServiceClient::new(self.wire()).enroll(request).await?;
        Ok(())
    }

    /// Enrolls the identities `first..` of row-major `embeddings` over one stream.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Invalid`] if any was refused or not answered.
    pub async fn import(&self, first: u64, embeddings: Vec<f32>) -> Result<(), Error> {
        let dimension = self.dimension;
        let expected = embeddings.len() / dimension;
        let items = (0..expected).map(move |row| BatchEnrollRequest {
            parent: parent(),
            purpose: Purpose::DuplicateDetection.into(),
            request_id: String::new(),
            subject_id: subject_id(first + row as u64),
            template: Some(capture(&embeddings[row * dimension..][..dimension], dimension)),
            item_id: row.to_string(),
        });
        let stream = tokio_stream::iter(items);
        let mut answers = EnrollmentServiceClient::new(self.wire()).batch_enroll(stream).await?.into_inner();
        let mut enrolled = 0;
        loop {
            let Ok(answer) = timeout(PATIENCE, answers.message()).await else {
                return Err(Error::invalid(format!("{enrolled} of {expected} items were answered, then nothing")));
            };
            let Some(answer) = answer? else { break };
            match answer.result {
                Some(batch_enroll_response::Result::Enrolled(_)) => enrolled += 1,
                Some(batch_enroll_response::Result::Error(error)) => {
                    return Err(Error::invalid(format!("item {} was refused: {}", answer.item_id, error.message)));
                }
                None => return Err(Error::invalid(format!("item {} has no result", answer.item_id))),
            }
        }
        if enrolled == expected {
            Ok(())
        } else {
            Err(Error::invalid(format!("{enrolled} of {expected} items were answered")))
        }
    }

    /// Erases a person and waits for `SHREDDED`; the name of the receipt.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Invalid`] if the answer is anything less.
    pub async fn erase(&self, identity: u64) -> Result<String, Error> {
        let request = EraseSubjectRequest {
            fulfils_request: String::new(),
            name: subject(identity),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id()?,
            no_wait: false,
            deferral: None,
        };
        let erasure = SubjectServiceClient::new(self.wire()).erase(request).await?.into_inner();
        if erasure.state() == ErasureState::Shredded {
            Ok(erasure.receipt)
        } else {
            Err(Error::invalid(format!("an erasure is {:?}, not SHREDDED", erasure.state())))
        }
    }

    /// Records that a person is of age: then something is known of it.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub async fn record_adult(&self, identity: u64) -> Result<(), Error> {
        let known = Subject { name: subject(identity), age_band: AgeBand::Adult.into(), ..Subject::default() };
        let request = UpdateSubjectRequest {
            subject: Some(known),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: String::new(),
            update_mask: None,
        };
        SubjectServiceClient::new(self.wire()).update(request).await?;
        Ok(())
    }

    /// How many people, or parts of them, will have ended a day from now: everybody is judged.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub async fn count_ending(&self) -> Result<usize, Error> {
        let until = SystemTime::now() + Duration::from_secs(86_400);
        let mut request = PreviewErasuresRequest {
            parent: parent(),
            purpose: Purpose::Administration.into(),
            until_time: Some(until.into()),
            page_size: 1000,
            page_token: String::new(),
        };
        let mut ending = 0;
        loop {
            let answer = SubjectServiceClient::new(self.wire()).preview_erasures(request.clone()).await?.into_inner();
            ending += answer.endings.len();
            if answer.next_page_token.is_empty() {
                return Ok(ending);
            }
            request.page_token = answer.next_page_token;
        }
    }

    /// The epoch that an erasure left, by its receipt: those that left the same one shared it.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Invalid`] if the receipt does not say.
    pub async fn epoch_left(&self, receipt: String) -> Result<u64, Error> {
        let request = GetReceiptRequest { name: receipt, purpose: Purpose::Audit.into() };
        let receipt = AuditServiceClient::new(self.wire()).get_receipt(request).await?.into_inner();
        let document: serde_json::Value = serde_json::from_slice(&receipt.document)
            .map_err(|source| Error::Stored { file: receipt.name, line: 0, source })?;
        let from = &document["committed"]["entry"]["event"]["from"];
        from.as_u64().ok_or_else(|| Error::invalid("a receipt does not say which epoch was left"))
    }

    /// As the operator: makes the tenant, its model profile and two credentials, and returns their keys.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Invalid`] if no key came.
    pub async fn set_up(&self, model: &ModelVersion, sketch_bits: u8) -> Result<Keys, Error> {
        let basis = |purpose: Purpose| PurposeBasis {
            purpose: purpose.into(),
            lawful_basis: LawfulBasis::LegalObligation.into(),
        };
        let purposes = [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::FraudPrevention];
        let created = TenantServiceClient::new(self.wire())
            .create(CreateTenantRequest {
                purpose: Purpose::Administration.into(),
                request_id: request_id()?,
                tenant_id: TENANT.into(),
                tenant: Some(Tenant {
                    purposes: purposes.map(basis).to_vec(),
                    retention: Some(Retention { keep: KEPT.into(), ..Retention::default() }),
                    // Measured is the vault, and not who signs captures.
                    attestation: Some(exempt()),
                    ..Tenant::default()
                }),
                administrator_login: None,
            })
            .await?
            .into_inner();
        let admin = self.with_key(&key_of(created.credential)?)?;
        TenantServiceClient::new(admin.wire())
            .create_model_profile(CreateModelProfileRequest {
                parent: parent(),
                purpose: Purpose::Administration.into(),
                request_id: request_id()?,
                model_profile: Some(ModelProfile {
                    model: Some(model.clone()),
                    dimension: i32::try_from(self.dimension).unwrap_or(i32::MAX),
                    sketch_bits: Some(sketch_bits.into()),
                    thresholds: Some(Thresholds { r#match: THRESHOLD, review: THRESHOLD }),
                    ..ModelProfile::default()
                }),
            })
            .await?;
        let everything = [Role::Enroller, Role::FraudAnalyst, Role::PrivacyOfficer];
        Ok(Keys { all: admin.issue(&everything).await?, login: admin.issue(&[Role::Authenticator]).await? })
    }

    async fn issue(&self, roles: &[Role]) -> Result<String, Error> {
        let issued = TenantServiceClient::new(self.wire())
            .create_credential(CreateCredentialRequest {
                parent: parent(),
                purpose: Purpose::Administration.into(),
                request_id: request_id()?,
                credential: Some(Credential {
                    roles: roles.iter().map(|&role| role.into()).collect(),
                    ..Credential::default()
                }),
            })
            .await?
            .into_inner();
        key_of(Some(issued))
    }
}

/// The keys of the tenant that is measured on.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Keys {
    /// Who enrolls, searches and erases.
    pub all: String,
    /// Who verifies: a login service, which sees no scores. Who sees them is limited on each subject.
    pub login: String,
}

fn key_of(issued: Option<lethe_proto::v1::IssuedCredential>) -> Result<String, Error> {
    let key = issued.map(|issued| issued.api_key).filter(|key| !key.is_empty());
    key.ok_or_else(|| Error::invalid("the server issued no key"))
}

/// A search for `embedding`, at the profile's threshold, with at most `most` matches in the answer.
#[must_use]
pub fn search_request(embedding: &[f32]) -> SearchRequest {
    SearchRequest {
        parent: parent(),
        purpose: Purpose::DuplicateDetection.into(),
        probe: Some(capture(embedding, embedding.len())),
        threshold: Some(THRESHOLD),
        miss_probability: None,
        max_results: 0,
        probe_subject: String::new(),
    }
}

/// A verification of `embedding` against a person.
#[must_use]
pub fn verify_request(identity: u64, embedding: &[f32]) -> VerifyRequest {
    VerifyRequest {
        name: subject(identity),
        purpose: Purpose::Authentication.into(),
        request_id: String::new(),
        probe: Some(capture(embedding, embedding.len())),
    }
}

/// The model that a dimension stands for.
#[must_use]
pub fn model(dimension: usize) -> ModelVersion {
    ModelVersion { id: format!("generated-{dimension}"), version: "1".into() }
}

fn capture(embedding: &[f32], dimension: usize) -> Capture {
    Capture {
        embedding: embedding.to_vec(),
        model: Some(model(dimension)),
        kind: CaptureKind::Selfie.into(),
        quality: Some(0.9),
        capture_time: Some(SystemTime::now().into()),
        attestation: String::new(),
    }
}

fn exempt() -> AttestationPolicy {
    let exempt = [CaptureUse::Enrollment, CaptureUse::Verification, CaptureUse::Identification, CaptureUse::Watchlist];
    AttestationPolicy { exempt: exempt.map(Into::into).to_vec(), ..AttestationPolicy::default() }
}

fn parent() -> String {
    format!("tenants/{TENANT}")
}

/// The resource name of a person.
#[must_use]
pub fn subject(identity: u64) -> String {
    format!("tenants/{TENANT}/subjects/{}", subject_id(identity))
}

/// Opaque, as an applicant id must be, and of constant length.
fn subject_id(identity: u64) -> String {
    // Letters, since a row of digits looks like a telephone number and is refused.
    let letters = (0..14).rev().map(|place| (b'a' + ((identity >> (4 * place)) & 15) as u8) as char);
    letters.collect()
}

/// A random UUID of version 4 (RFC 9562).
fn request_id() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::invalid("no random bytes"))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_opaque_and_distinct() {
        let names: std::collections::HashSet<String> = (0..5000).chain([u64::MAX >> 8]).map(subject_id).collect();
        assert_eq!(names.len(), 5001);
        assert!(names.iter().all(|name| name.len() == 14 && !name.contains(|c: char| c.is_ascii_digit())));
    }

    #[test]
    fn request_ids_are_random_uuids() {
        let (a, b) = (request_id().unwrap(), request_id().unwrap());
        assert_ne!(a, b);
        assert!(a.len() == 36 && a.as_bytes()[14] == b'4' && b"89ab".contains(&a.as_bytes()[19]), "{a}");
    }
}
