//! Numbers of another width or sign: exactly, or not at all.

use super::Unfit;
use crate::migrate::plan::Number;

/// A number in the middle of its conversion.
#[derive(Debug, Clone, Copy)]
enum Any {
    /// An integer from 0 on.
    Whole(u128),
    /// An integer below 0.
    Negative(i128),
    Float(f64),
}

/// Converts the number at `from`.
///
/// # Safety
/// `from` is a number of that kind; `to` has room for one of the other, both aligned.
pub(super) unsafe fn convert(
    a: Number,
    from: *const u8,
    b: Number,
    to: *mut u8,
) -> Result<(), Unfit> {
    // SAFETY: the caller's promise.
    unsafe { write(b, to, read(a, from)) }
}

/// # Safety
/// `at` is a number of that kind.
unsafe fn read(kind: Number, at: *const u8) -> Any {
    let signed = |n: i128| if n < 0 { Any::Negative(n) } else { Any::Whole(n as u128) };
    // SAFETY: the caller's promise.
    unsafe {
        match kind {
            Number::Unsigned(1) => Any::Whole(at.read().into()),
            Number::Unsigned(2) => Any::Whole(at.cast::<u16>().read().into()),
            Number::Unsigned(4) => Any::Whole(at.cast::<u32>().read().into()),
            Number::Unsigned(8) => Any::Whole(at.cast::<u64>().read().into()),
            Number::Unsigned(_) => Any::Whole(at.cast::<u128>().read()),
            Number::Signed(1) => signed(at.cast::<i8>().read().into()),
            Number::Signed(2) => signed(at.cast::<i16>().read().into()),
            Number::Signed(4) => signed(at.cast::<i32>().read().into()),
            Number::Signed(8) => signed(at.cast::<i64>().read().into()),
            Number::Signed(_) => signed(at.cast::<i128>().read()),
            Number::Float(4) => Any::Float(at.cast::<f32>().read().into()),
            Number::Float(_) => Any::Float(at.cast::<f64>().read()),
        }
    }
}

/// # Safety
/// `at` has room for a number of that kind.
unsafe fn write(kind: Number, at: *mut u8, number: Any) -> Result<(), Unfit> {
    macro_rules! put {
        ($ty:ty) => {{
            let n = match number {
                Any::Whole(n) => <$ty>::try_from(n).map_err(|_| Unfit)?,
                Any::Negative(n) => <$ty>::try_from(n).map_err(|_| Unfit)?,
                Any::Float(x) => whole::<$ty>(x).ok_or(Unfit)?,
            };
            // SAFETY: the caller's promise.
            unsafe { at.cast::<$ty>().write(n) };
        }};
    }
    match kind {
        Number::Unsigned(1) => put!(u8),
        Number::Unsigned(2) => put!(u16),
        Number::Unsigned(4) => put!(u32),
        Number::Unsigned(8) => put!(u64),
        Number::Unsigned(_) => put!(u128),
        Number::Signed(1) => put!(i8),
        Number::Signed(2) => put!(i16),
        Number::Signed(4) => put!(i32),
        Number::Signed(8) => put!(i64),
        Number::Signed(_) => put!(i128),
        Number::Float(size) => {
            let x = float(number).ok_or(Unfit)?;
            if size == 8 {
                // SAFETY: the caller's promise.
                unsafe { at.cast::<f64>().write(x) };
            } else {
                let narrow = x as f32;
                if f64::from(narrow) != x && !x.is_nan() {
                    return Err(Unfit);
                }
                // SAFETY: as above.
                unsafe { at.cast::<f32>().write(narrow) };
            }
        }
    }
    Ok(())
}

/// The integer that a float is exactly.
fn whole<T: TryFrom<i128>>(x: f64) -> Option<T> {
    let n = x as i128;
    let exact = n as f64 == x && n != i128::MAX && (x != 0.0 || x.is_sign_positive());
    exact.then(|| T::try_from(n).ok()).flatten()
}

/// The float that a number is exactly.
fn float(number: Any) -> Option<f64> {
    match number {
        Any::Float(x) => Some(x),
        Any::Whole(n) => Some(n as f64).filter(|x| *x as u128 == n && n != u128::MAX),
        Any::Negative(n) => Some(n as f64).filter(|x| *x as i128 == n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through<A: Copy, B: Copy + Default>(a: Number, value: A, b: Number) -> Option<B> {
        let mut to = B::default();
        // SAFETY: the tests name the kinds of their types.
        let done = unsafe { convert(a, (&raw const value).cast(), b, (&raw mut to).cast()) };
        done.ok().map(|()| to)
    }

    #[test]
    fn what_fits_is_exact_and_what_does_not_is_refused() {
        use Number::{Float, Signed, Unsigned};
        assert_eq!(through::<u32, u64>(Unsigned(4), u32::MAX, Unsigned(8)), Some(u32::MAX.into()));
        assert_eq!(through::<u64, u32>(Unsigned(8), 1 << 32, Unsigned(4)), None);
        assert_eq!(through::<i32, i64>(Signed(4), -5, Signed(8)), Some(-5));
        assert_eq!(through::<i64, u8>(Signed(8), -1, Unsigned(1)), None);
        assert_eq!(through::<i64, i8>(Signed(8), -128, Signed(1)), Some(-128));
        assert_eq!(through::<i128, i64>(Signed(16), i128::MIN, Signed(8)), None);
        assert_eq!(through::<f64, f32>(Float(8), 0.1, Float(4)), None);
        assert_eq!(through::<f64, f32>(Float(8), 0.5, Float(4)), Some(0.5));
        assert!(through::<f64, f32>(Float(8), f64::NAN, Float(4)).is_some_and(f32::is_nan));
        assert_eq!(through::<u64, f64>(Unsigned(8), (1 << 53) + 1, Float(8)), None);
        assert_eq!(through::<u64, f64>(Unsigned(8), 1 << 60, Float(8)), Some((1u64 << 60) as f64));
        assert_eq!(through::<f64, u32>(Float(8), 7.0, Unsigned(4)), Some(7));
        assert_eq!(through::<f64, u32>(Float(8), 7.5, Unsigned(4)), None);
        assert_eq!(through::<f64, i32>(Float(8), -0.0, Signed(4)), None, "its sign would be gone");
    }
}
