//! What a GPU says when it cannot go on, and how it starts once more.

use trm_gpu::{Adapter, Limits, lose, open, open_within};
use trm_ops::{DType, Device, Parameter, Tape, Tensor};

fn gpu() -> Option<Adapter> {
    let gpu = Adapter::number(0);
    if let Err(error) = &gpu {
        eprintln!("SKIPPED: {error}");
    }
    gpu.ok()
}

fn sum(device: &Device) -> Result<Vec<f32>, trm_ops::DeviceError> {
    let x = Tensor::from_f32(device, &[3], &[1.0, 2.0, -4.0]);
    Tape::off(device).add(&x, &x).to_f32_vec()
}

#[test]
fn a_gpu_that_is_not_there_is_named() {
    let many = Adapter::all().len();
    let error = Adapter::number(many + 3).err().expect("no such GPU").to_string();
    match many {
        0 => assert!(error.contains("no GPU that trm can use"), "{error}"),
        _ => assert!(error.contains(&format!("there is no gpu:{}", many + 3)), "{error}"),
    }
}

#[test]
fn a_lost_gpu_says_so_and_starts_once_more() {
    let Some(adapter) = gpu() else { return };
    let device = open(&adapter).unwrap();
    let before = Tensor::from_f32(&device, &[1], &[7.0]);
    lose(&device);
    let error = before.to_f32_vec().unwrap_err().to_string();
    assert!(error.starts_with("the GPU was lost"), "{error}");
    assert_eq!(sum(&device).unwrap_err().to_string(), error);
    device.kernels().recover().unwrap();
    assert_eq!(sum(&device).unwrap(), [2.0, 4.0, -8.0]);
}

#[test]
fn a_tensor_that_is_too_large_is_refused_by_what_to_do() {
    let Some(adapter) = gpu() else { return };
    let device = open_within(&adapter, Limits { buffer: 1 << 20, ..Limits::of(&adapter) }).unwrap();
    let large = Tensor::zeros(&device, &[1 << 19], DType::F32);
    let error = large.to_f32_vec().unwrap_err().to_string();
    assert!(
        error.contains("at most 1 MiB, and a tensor needs 2 MiB: give smaller batches"),
        "{error}"
    );
    device.kernels().recover().unwrap();
    assert_eq!(sum(&device).unwrap(), [2.0, 4.0, -8.0]);
}

#[test]
fn two_devices_give_the_same_bits() {
    let Some(adapter) = gpu() else { return };
    let run = || {
        let device = open(&adapter).unwrap();
        let values: Vec<f32> =
            (0..97 * 131).map(|i| ((i * 37 % 101) as f32 - 50.0) / 17.0).collect();
        let x = Tensor::from_f32(&device, &[97, 131], &values);
        let weight = Parameter::new(0, "w", x.clone());
        let tape = Tape::recording(&device);
        let y = tape.linear(&x, &weight, None);
        let seed = Tensor::from_f32(&device, &[97, 97], &values[..97 * 97]);
        let gradient =
            tape.backward(&[(&y, &seed)]).parameter(&weight).unwrap().to_f32_vec().unwrap();
        gradient.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    assert!(run() == run());
}
