//! A set of real embeddings with the person on each image.

use std::collections::HashMap;
use std::path::Path;

use crate::{Error, npy, vector};

/// Embeddings of images, and who is on them.
#[derive(Debug, Clone)]
pub struct Faces {
    model: String,
    dimension: usize,
    values: Vec<f32>,
    subjects: Vec<i64>,
    people: Vec<FacesOf>,
}

/// The images of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacesOf {
    /// The person's label in the data set.
    pub subject: i64,
    /// Indices of the person's images, in file order.
    pub images: Vec<usize>,
}

impl Faces {
    /// Opens `<folder>/<model>.npy` (one row an image) and `<folder>/subject.npy` (one label an image).
    ///
    /// Rows are renormalised after the conversion from half precision.
    ///
    /// # Errors
    /// What [`npy`] refuses; [`Error::Faces`] if the files disagree in length or a row has no direction
    /// (zero, infinite or not a number).
    pub fn open(folder: impl AsRef<Path>, model: &str) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let matrix = npy::read_matrix(folder.join(format!("{model}.npy")))?;
        let subjects = npy::read_labels(folder.join("subject.npy"))?;
        Self::named(&folder.display().to_string(), model.to_owned(), matrix.dimension, matrix.values, subjects)
    }

    /// Faces from memory: `values` is row-major, one row of `dimension` values for each of `subjects`.
    ///
    /// # Errors
    /// As [`Faces::open`].
    pub fn new(
        model: impl Into<String>,
        dimension: usize,
        values: Vec<f32>,
        subjects: Vec<i64>,
    ) -> Result<Self, Error> {
        let model = model.into();
        Self::named(&model.clone(), model, dimension, values, subjects)
    }

    fn named(
        file: &str,
        model: String,
        dimension: usize,
        mut values: Vec<f32>,
        subjects: Vec<i64>,
    ) -> Result<Self, Error> {
        let refuse = |reason: String| Err(Error::Faces { file: file.to_owned(), reason });
        if dimension == 0 || values.len() != dimension * subjects.len() {
            return refuse(format!(
                "{} values are not {} images of {dimension} values, one for each label",
                values.len(),
                subjects.len()
            ));
        }
        for (image, row) in values.chunks_exact_mut(dimension).enumerate() {
            if !vector::normalise(row) {
                return refuse(format!(
                    "image {image} ({model}) has no direction: it is zero, infinite or not a number"
                ));
            }
        }
        let people = group(&subjects);
        Ok(Self { model, dimension, values, subjects, people })
    }

    /// The model's name, as the file is called.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Values of one embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.subjects.len()
    }

    /// The embedding of an image: unit length.
    ///
    /// # Panics
    /// If there is no such image.
    #[must_use]
    pub fn embedding(&self, image: usize) -> &[f32] {
        &self.values[image * self.dimension..][..self.dimension]
    }

    /// Who is on an image.
    ///
    /// # Panics
    /// If there is no such image.
    #[must_use]
    pub fn subject(&self, image: usize) -> i64 {
        self.subjects[image]
    }

    /// The people, in order of their first image.
    #[must_use]
    pub fn people(&self) -> &[FacesOf] {
        &self.people
    }
}

fn group(subjects: &[i64]) -> Vec<FacesOf> {
    let mut positions: HashMap<i64, usize> = HashMap::new();
    let mut people: Vec<FacesOf> = Vec::new();
    for (image, &subject) in subjects.iter().enumerate() {
        let position = *positions.entry(subject).or_insert_with(|| {
            people.push(FacesOf { subject, images: Vec::new() });
            people.len() - 1
        });
        people[position].images.push(image);
    }
    people
}
