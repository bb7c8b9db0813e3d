//! Rows of one distance to rows of another.

/// Copies rows of `width` numbers, `from_stride` apart, to rows `to_stride` apart.
///
/// Narrow rows, which samples in few dimensions are, get loops of their own: a call to copy three
/// numbers costs more than the numbers.
pub(crate) fn copy_rows<F: Copy>(
    from: &[F],
    from_stride: usize,
    to: &mut [F],
    to_stride: usize,
    width: usize,
) {
    match width {
        1 => copy_narrow::<F, 1>(from, from_stride, to, to_stride),
        2 => copy_narrow::<F, 2>(from, from_stride, to, to_stride),
        3 => copy_narrow::<F, 3>(from, from_stride, to, to_stride),
        4 => copy_narrow::<F, 4>(from, from_stride, to, to_stride),
        _ => {
            for (from, to) in from.chunks_exact(from_stride).zip(to.chunks_exact_mut(to_stride)) {
                to[..width].copy_from_slice(&from[..width]);
            }
        }
    }
}

fn copy_narrow<F: Copy, const N: usize>(from: &[F], from_stride: usize, to: &mut [F], to_stride: usize) {
    for (from, to) in from.chunks_exact(from_stride).zip(to.chunks_exact_mut(to_stride)) {
        if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
            *to = *from;
        }
    }
}
