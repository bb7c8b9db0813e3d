//! Rosenbrock–Wanner methods as data.

use crate::integrate::explicit::tableau::lower;

/// A Rosenbrock–Wanner method with `S` stages, in the form that needs no product with the Jacobian
/// (Hairer, Wanner, *Solving Ordinary Differential Equations II*, IV.7, equation 7.25):
///
/// ```text
/// (I/(hγ) - J) uᵢ = f(t + αᵢ h, y₀ + Σⱼ aᵢⱼ uⱼ) + Σⱼ (cᵢⱼ/h) uⱼ + h γᵢ ∂f/∂t
/// y₁ = y₀ + Σᵢ bᵢ uᵢ      error ≈ Σᵢ eᵢ uᵢ
/// y(t + θh) = y₀ + θ((y₁ - y₀) + θ̄(k₁ + θ(k₂ + θ k₃))),   kₚ = Σᵢ dense[p][i] uᵢ,   θ̄ = 1 - θ
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RosenbrockTableau<const S: usize> {
    /// The method's name.
    pub name: &'static str,
    /// Order of the solution that is carried on.
    pub order: u32,
    /// Order of the embedded solution.
    pub embedded_order: u32,
    /// γ.
    pub gamma: f64,
    /// aᵢⱼ, strictly lower triangular.
    pub a: [[f64; S]; S],
    /// cᵢⱼ, strictly lower triangular.
    pub c: [[f64; S]; S],
    /// Stage times.
    pub alpha: [f64; S],
    /// Weights of the time derivative.
    pub gammas: [f64; S],
    /// Solution weights.
    pub b: [f64; S],
    /// Error weights.
    pub e: [f64; S],
    /// Rows of the interpolant, at most three; cubic Hermite if there are none.
    pub dense: &'static [[f64; S]],
}

/// A Rosenbrock–Wanner method as a type.
pub trait RosenbrockMethod<const S: usize>: 'static {
    /// The numbers.
    const TABLEAU: RosenbrockTableau<S>;
}

/// ROS3P, order 3 with embedded order 2, three stages of which two are evaluations of the field.
///
/// Keeps its order on parabolic problems. Reference: Lang, Verwer, *ROS3P: an accurate third-order Rosenbrock solver
/// designed for parabolic problems*, BIT 41 (2001) 731–738.
#[derive(Debug, Clone, Copy)]
pub struct Ros3P;

impl RosenbrockMethod<3> for Ros3P {
    const TABLEAU: RosenbrockTableau<3> = RosenbrockTableau {
        name: "Ros3P",
        order: 3,
        embedded_order: 2,
        gamma: 0.7886751345948129,
        a: lower([&[], &[1.2679491924311228], &[1.2679491924311228, 0.0]]),
        c: lower([&[], &[-1.6076951545867364], &[-3.4641016151377553, -1.7320508075688774]]),
        alpha: [0.0, 1.0, 1.0],
        gammas: [0.7886751345948129, -0.2113248654051871, -1.077350269189626],
        b: [2.0, 0.5773502691896257, 0.42264973081037427],
        e: [-0.1132486540518709, -0.42264973081037427, 5.551115123125783e-17],
        dense: &[],
    };
}

/// Rodas4, order 4 with embedded order 3, six stages, L-stable and stiffly accurate; values inside a step of order 3.
///
/// Reference: Hairer, Wanner, *Solving Ordinary Differential Equations II*, IV.7 (the code RODAS). Coefficients at the digits
/// of OrdinaryDiffEq.jl.
#[derive(Debug, Clone, Copy)]
pub struct Rodas4;

impl RosenbrockMethod<6> for Rodas4 {
    const TABLEAU: RosenbrockTableau<6> = RosenbrockTableau {
        name: "Rodas4",
        order: 4,
        embedded_order: 3,
        gamma: 0.25,
        a: lower([
            &[],
            &[1.544],
            &[0.9466785280815826, 0.2557011698983284],
            &[3.314825187068521, 2.896124015972201, 0.9986419139977817],
            &[1.221224509226641, 6.019134481288629, 12.53708332932087, -0.687886036105895],
            &[1.221224509226641, 6.019134481288629, 12.53708332932087, -0.687886036105895, 1.0],
        ]),
        c: lower([
            &[],
            &[-5.6688],
            &[-2.430093356833875, -0.2063599157091915],
            &[-0.1073529058151375, -9.594562251023355, -20.47028614809616],
            &[7.496443313967647, -10.24680431464352, -33.99990352819905, 11.7089089320616],
            &[
                8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136,
                -6.058818238834054,
            ],
        ]),
        alpha: [0.0, 0.386, 0.21, 0.63, 1.0, 1.0],
        gammas: [0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0],
        b: [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.687886036105895, 1.0, 1.0],
        e: [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        dense: &[
            [
                10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823,
                1.025137723295662, 0.0,
            ],
            [
                -0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386,
                -6.594389125716872, 0.0,
            ],
        ],
    };
}

/// Rodas5P, order 5 with embedded order 4, eight stages, L-stable and stiffly accurate; values inside a step of order 4.
///
/// Reference: G. Steinebach, *Construction of Rosenbrock–Wanner method Rodas5P*, BIT 63 (2023) 27. Coefficients at the digits
/// of OrdinaryDiffEq.jl.
#[derive(Debug, Clone, Copy)]
pub struct Rodas5P;

impl RosenbrockMethod<8> for Rodas5P {
    const TABLEAU: RosenbrockTableau<8> = RosenbrockTableau {
        name: "Rodas5P",
        order: 5,
        embedded_order: 4,
        gamma: 0.21193756319429014,
        a: lower([
            &[],
            &[3.0],
            &[2.849394379747939, 0.45842242204463923],
            &[-6.954028509809101, 2.489845061869568, -10.358996098473584],
            &[2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641],
            &[
                -7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256,
                0.030198172008377946,
            ],
            &[
                -7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256,
                0.030198172008377946, 1.0,
            ],
            &[
                -7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256,
                0.030198172008377946, 1.0, 1.0,
            ],
        ]),
        c: lower([
            &[],
            &[-14.155112264123755],
            &[-17.97296035885952, -2.859693295451294],
            &[147.12150275711716, -1.41221402718213, 71.68940251302358],
            &[165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
            &[
                24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125,
                -0.6610691825249471,
            ],
            &[
                30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783,
                -19.097331116725623, -28.087943162872662,
            ],
            &[
                37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047,
                -40.06618937091002, -54.66780262877968, -9.48861652309627,
            ],
        ]),
        alpha: [
            0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0,
            1.0,
        ],
        gammas: [
            0.21193756319429014, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734,
            2.325825639765069, 0.0, 0.0, 0.0,
        ],
        b: [
            -7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256,
            0.030198172008377946, 1.0, 1.0, 1.0,
        ],
        e: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        dense: &[
            [
                25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204,
                0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493,
            ],
            [
                -9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796,
                20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372,
            ],
            [
                11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643,
                -52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722,
            ],
        ],
    };
}
