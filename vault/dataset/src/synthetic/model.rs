//! The constants of a population.

/// A model of embeddings: the subspace they live in and the constants of [the formula](super).
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) name: &'static str,
    pub(super) fitted: bool,
    /// d: values of an embedding.
    pub(super) dimension: usize,
    /// r: dimensions that the values really span.
    pub(super) rank: usize,
    /// τ: the spectrum of centres falls as exp(−i/τ).
    pub(super) decay: f64,
    /// |m|: length of the common mean.
    pub(super) mean: f64,
    /// Number of coarse clusters, and a²: the share of the centre's variance that they explain.
    pub(super) coarse_clusters: u32,
    pub(super) coarse_share: f64,
    /// Number of fine clusters, and b².
    pub(super) fine_clusters: u32,
    pub(super) fine_share: f64,
    /// ls, ti, tj: logarithm of the capture noise, its sd by identity, its sd by image.
    pub(super) log_noise: f64,
    pub(super) identity_noise: f64,
    pub(super) image_noise: f64,
    /// pb, kb: how often a capture is bad, and by how much.
    pub(super) bad_share: f64,
    pub(super) bad_factor: f64,
}

impl Model {
    /// 512-d, rank 192: fitted to EdgeFace-XS on LFW (see the crate's documentation for how well).
    #[must_use]
    pub fn edgeface_xs_512() -> Self {
        Self {
            name: "edgeface_xs_512",
            fitted: true,
            dimension: 512,
            rank: 192,
            decay: 100.0,
            mean: 0.088,
            coarse_clusters: 10,
            coarse_share: 0.0608,
            fine_clusters: 806,
            fine_share: 0.2975,
            log_noise: -0.3299,
            identity_noise: 0.1214,
            image_noise: 0.2806,
            bad_share: 0.0089,
            bad_factor: 2.9016,
        }
    }

    /// 128-d, rank 128, the constants of [`Model::edgeface_xs_512`]: *not fitted* to any network. In
    /// particular not to dlib's, whose vectors share a mean that this model lacks.
    #[must_use]
    pub fn unfitted_128() -> Self {
        Self { name: "unfitted_128", fitted: false, dimension: 128, rank: 128, ..Self::edgeface_xs_512() }
    }

    /// 1,024-d, rank 192, the constants of [`Model::edgeface_xs_512`]: *not fitted* to any network.
    #[must_use]
    pub fn unfitted_1024() -> Self {
        Self { name: "unfitted_1024", fitted: false, dimension: 1024, ..Self::edgeface_xs_512() }
    }

    /// The model of a dimension: 128, 512 or 1,024.
    #[must_use]
    pub fn for_dimension(dimension: usize) -> Option<Self> {
        match dimension {
            128 => Some(Self::unfitted_128()),
            512 => Some(Self::edgeface_xs_512()),
            1024 => Some(Self::unfitted_1024()),
            _ => None,
        }
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Values of one embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Dimensions of the subspace that embeddings lie in.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Whether the constants were fitted to embeddings of this dimension.
    #[must_use]
    pub fn is_fitted(&self) -> bool {
        self.fitted
    }
}
