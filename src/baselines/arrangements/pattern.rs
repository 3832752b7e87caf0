//! One bit a sample.

/// Which samples a neuron is active on: bit i is 1[x_iᵀu ≥ 0] for every u inside one cell of the arrangement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<[u64]>);

impl Pattern {
    pub(super) fn new(samples: usize, active: impl Fn(usize) -> bool) -> Self {
        let mut pattern = Self(vec![0; samples.div_ceil(64)].into());
        (0..samples).for_each(|i| pattern.set(i, active(i)));
        pattern
    }

    pub(super) fn set(&mut self, sample: usize, active: bool) {
        let bit = 1 << (sample % 64);
        if active {
            self.0[sample / 64] |= bit;
        } else {
            self.0[sample / 64] &= !bit;
        }
    }

    /// Whether the sample is active; false beyond the last sample.
    pub fn is_active(&self, sample: usize) -> bool {
        self.0.get(sample / 64).is_some_and(|word| word >> (sample % 64) & 1 == 1)
    }

    /// The active samples, ascending.
    pub fn active(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(64 * index + bit)
            })
        })
    }
}
