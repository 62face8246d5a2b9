#!/usr/bin/env bash
# Seven strategies on real images with a real ViT-Tiny: accuracy, robust accuracy, four corruptions along every run.
#
#   benchmarks/real_frontiers.sh cifar IMAGES.npz WEIGHTS.safetensors [FOLDER [OPTION OF fit]...]
#   benchmarks/real_frontiers.sh birds ROOT WEIGHTS.safetensors [FOLDER [OPTION OF fit]...]
#
# IMAGES.npz holds x_train, y_train, x_test, y_test (uint8, 32x32 RGB); ROOT holds train/CLASS/ and test/CLASS/;
# WEIGHTS.safetensors are timm's vit_tiny_patch16_224. SIZE=small (the default) is for two CPU cores: 96 px, 400
# images, one run a strategy. SIZE=full is for a GPU: 224 px, every image.
# JOBS=N runs N of them side by side. Full fine-tuning gets a twentieth of the others' learning rates.
set -euo pipefail
kind=$1 data=$2 weights=$3 folder=${4:-runs/$1} more=("${@:5}")

case ${SIZE:-small} in
  small)
    pixels=96 rates=(2e-3) seeds=(0) held_out=0.25
    settings=(--data.train_limit 400 --data.batch_size 40 --trainer.max_epochs 6 --adversarial.n 120
      --adversarial.eps "[0.25/255, 0.5/255]" --adversarial.schedule "{preset: null, steps: [6, 12, 25, 40]}")
    ;;
  full)
    pixels=224 rates=(1e-3) seeds=(0) held_out=0.4
    settings=(--data.batch_size 32 --adversarial.eps "[0.25/255, 0.5/255]")
    if [ "$kind" = cifar ]; then
      settings+=(--adversarial.n 400 --trainer.max_steps 250 --adversarial.schedule "{preset: null, steps: [30, 80, 160, 250]}")
    else
      settings+=(--adversarial.n 238 --trainer.max_steps 160 --adversarial.schedule "{preset: null, steps: [20, 50, 100, 160]}")
    fi
    ;;
  *) echo "SIZE is '$SIZE'; small or full" >&2; exit 2 ;;
esac
if [ "$kind" = cifar ]; then
  source=(--config configs/image_arrays.yaml --data.path "$data")
else
  source=(--config configs/image_folder.yaml --data.root "$data" --data.image_size "$pixels" --data.cache ram
    --data.num_workers 0 --data.validation_fraction "$held_out")
fi

mkdir -p "$folder"
cat > "$folder/shifts.yaml" <<YAML
ood:
  shifts:
    - class_path: Corruptions
      init_args: {corruptions: [gaussian_noise, defocus_blur, fog, jpeg_compression], severities: [3]}
YAML

fine_tune() { # STRATEGY RATE SEED: one run; a name of its own where a strategy has several
  local strategy=$1 rate=$2 seed=$3 name=$1 options=()
  [ ${#rates[@]} = 1 ] || name=$name-$rate-$seed
  [ "$strategy" != FullFineTuning ] || rate=$(awk "BEGIN {print $rate / 20}")
  [ "$strategy" != Compacter ] || options=(--model.strategy.reduction_factor 16)
  robust-tuning fit "${source[@]}" --config "$folder/shifts.yaml" --run "$folder/$name" --seed_everything "$seed" \
    --model.backbone.name vit_tiny_patch16_224 --model.backbone.pretrained "$weights" \
    --model.backbone.image_size "$pixels" --model.strategy "$strategy" "${options[@]}" --model.lr "$rate" \
    --model.lr_scheduler CosineDecay --model.lr_scheduler.warmup_steps 5 "${settings[@]}" "${more[@]}" \
    > "$folder/$name.log" 2>&1 || { tail -n 20 "$folder/$name.log" >&2; return 1; }
}

for seed in "${seeds[@]}"; do for rate in "${rates[@]}"; do
  for strategy in FullFineTuning LinearProbe BitFit LoRA IA3 Adapter Compacter; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n; done
    echo "$strategy, learning rate $rate, seed $seed"
    fine_tune "$strategy" "$rate" "$seed" &
  done
done; done
while [ "$(jobs -rp | wc -l)" -gt 0 ]; do wait -n; done
robust-tuning frontier "$folder"
