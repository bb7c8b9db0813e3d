//! Sorting of floating-point numbers by radix.

use crate::Real;

/// Below this many numbers a comparison sort is faster.
const SMALL: usize = 1024;
const BITS: usize = 11;
const BUCKETS: usize = 1 << BITS;
const DIGITS: usize = 64_usize.div_ceil(BITS);

/// An integer in the order of the numbers (-0 before 0).
#[inline]
pub(super) fn key<F: Real>(x: F) -> u64 {
    if size_of::<F>() == 4 {
        // Exact: a single fits in a double and comes back.
        let bits = (x.f64() as f32).to_bits();
        return u64::from(if bits >> 31 == 1 { !bits } else { bits | 1 << 31 });
    }
    let bits = x.f64().to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The number of a key.
#[inline]
pub(super) fn number<F: Real>(key: u64) -> f64 {
    if size_of::<F>() == 4 {
        let k = key as u32;
        return f64::from(f32::from_bits(if k >> 31 == 1 { k & !(1 << 31) } else { !k }));
    }
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// Sorts by key, from the lowest digit up; `spare` is scratch.
pub(super) fn sort_by_key<T: Copy + Ord>(items: &mut Vec<T>, spare: &mut Vec<T>, key: impl Fn(&T) -> u64) {
    if items.len() < SMALL {
        items.sort_unstable();
        return;
    }
    let mut counts = vec![[0_u32; BUCKETS]; DIGITS];
    for item in items.iter() {
        let k = key(item);
        for (d, counts) in counts.iter_mut().enumerate() {
            counts[digit(k, d)] += 1;
        }
    }
    spare.clear();
    spare.extend_from_slice(items);
    for (d, counts) in counts.iter_mut().enumerate() {
        // A digit that all share (the upper ones of single precision) needs no pass.
        if counts.iter().any(|&c| c as usize == items.len()) {
            continue;
        }
        let mut start = 0;
        for c in counts.iter_mut() {
            start += std::mem::replace(c, start);
        }
        for item in items.iter() {
            let place = &mut counts[digit(key(item), d)];
            spare[*place as usize] = *item;
            *place += 1;
        }
        std::mem::swap(items, spare);
    }
}

#[inline]
fn digit(key: u64, d: usize) -> usize {
    (key >> (d * BITS)) as usize & (BUCKETS - 1)
}

/// The numbers' keys in order.
pub(super) fn sorted_keys<F: Real>(x: impl Iterator<Item = F>) -> Vec<u64> {
    let (mut keys, mut spare): (Vec<u64>, _) = (x.map(key).collect(), Vec::new());
    sort_by_key(&mut keys, &mut spare, |k| *k);
    keys
}

/// (key, index) in order; indices break ties.
pub(super) fn order<F: Real>(x: impl Iterator<Item = F>) -> Vec<(u64, u32)> {
    let mut items: Vec<(u64, u32)> = x.enumerate().map(|(i, x)| (key(x), i as u32)).collect();
    sort_by_key(&mut items, &mut Vec::new(), |item| item.0);
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn check<F: Real>(n: usize) {
        let mut rng = Rng::new(n as u64, 0);
        let mut x: Vec<F> = (0..n).map(|i| if i % 7 == 0 { F::zero() } else { rng.normal() }).collect();
        let keys = sorted_keys(x.iter().copied());
        let by_index = order(x.iter().copied());
        let unsorted = x.clone();
        x.sort_by(|a, b| a.f64().total_cmp(&b.f64()));
        assert!(keys.iter().zip(&x).all(|(k, x)| number::<F>(*k) == x.f64()));
        assert!(by_index.iter().zip(&x).all(|(k, x)| unsorted[k.1 as usize] == *x));
        assert!(by_index.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn sorts_around_the_threshold() {
        for n in [0, 1, 2, 1000, 1023, 1024, 5000] {
            check::<f64>(n);
            check::<f32>(n);
        }
    }
}
