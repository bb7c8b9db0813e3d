//! One loop, compiled for several instruction sets and chosen at run time.

use crate::Real;

/// The arithmetic an inner loop is compiled for.
pub(crate) trait Arith: Copy {
    /// Vector registers, and bytes in each: what the register tiles are sized by.
    const REGISTERS: usize;
    /// See [`REGISTERS`](Self::REGISTERS).
    const BYTES: usize;
    /// `a * b + c`, with one rounding where the instruction set has it (otherwise it would be a slow call).
    fn fma<F: Real>(a: F, b: F, c: F) -> F;
}

/// A loop body waiting for its instruction set. Implementations must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What the loop returns.
    type Output;
    /// The loop.
    fn run<A: Arith>(self) -> Self::Output;
}

/// Instruction sets there is code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    /// x86-64 with AVX-512 F, VL, DQ and BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the crate was compiled for; the reference that tests compare with.
    Portable,
}

impl Isa {
    /// The best instruction set of this machine.
    pub(crate) fn detect() -> Self {
        *Self::available().first().unwrap_or(&Isa::Portable)
    }

    /// All instruction sets of this machine, best first.
    pub(crate) fn available() -> &'static [Isa] {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            if avx2 && avx512 {
                return &[Isa::Avx512, Isa::Avx2, Isa::Portable];
            }
            if avx2 {
                return &[Isa::Avx2, Isa::Portable];
            }
        }
        &[Isa::Portable]
    }

    /// Runs a loop with this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            // SAFETY: `Avx512` comes only from `available`, which saw all of the function's features.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { run_avx512(kernel) },
            // SAFETY: `Avx2` comes only from `available`, which saw all of the function's features.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { run_avx2(kernel) },
            Isa::Portable => kernel.run::<Baseline>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512;
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2;
#[derive(Clone, Copy)]
struct Baseline;

#[cfg(target_arch = "x86_64")]
impl Arith for Avx512 {
    const REGISTERS: usize = 32;
    const BYTES: usize = 64;
    #[inline(always)]
    fn fma<F: Real>(a: F, b: F, c: F) -> F {
        a.mul_add(b, c)
    }
}

#[cfg(target_arch = "x86_64")]
impl Arith for Avx2 {
    const REGISTERS: usize = 16;
    const BYTES: usize = 32;
    #[inline(always)]
    fn fma<F: Real>(a: F, b: F, c: F) -> F {
        a.mul_add(b, c)
    }
}

impl Arith for Baseline {
    const REGISTERS: usize = if cfg!(target_arch = "x86_64") { 16 } else { 32 };
    const BYTES: usize = 16;
    #[inline(always)]
    fn fma<F: Real>(a: F, b: F, c: F) -> F {
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
    }
}
