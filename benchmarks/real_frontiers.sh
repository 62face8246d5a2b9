#!/usr/bin/env bash
# Seven strategies on real images with a real ViT-Tiny at 96 px, on a CPU: accuracy, robust accuracy, four corruptions.
#
#   benchmarks/real_frontiers.sh cifar IMAGES.npz WEIGHTS.safetensors [FOLDER]
#   benchmarks/real_frontiers.sh birds ROOT WEIGHTS.safetensors [FOLDER]
#
# IMAGES.npz holds x_train, y_train, x_test, y_test (uint8, 32x32 RGB); ROOT holds train/CLASS/ and test/CLASS/;
# WEIGHTS.safetensors are timm's vit_tiny_patch16_224. Full fine-tuning gets a twentieth of the learning rate.
set -euo pipefail
kind=$1 data=$2 weights=$3 folder=${4:-runs/$1}

if [ "$kind" = cifar ]; then
  source=(--config configs/image_arrays.yaml --data.path "$data")
else
  source=(--config configs/image_folder.yaml --data.root "$data" --data.image_size 96 --data.cache ram --data.num_workers 0)
  source+=(--data.validation_fraction 0.25)
fi
mkdir -p "$folder"
cat > "$folder/shifts.yaml" <<YAML
ood:
  shifts:
    - class_path: Corruptions
      init_args: {corruptions: [gaussian_noise, defocus_blur, fog, jpeg_compression], severities: [3]}
YAML
for strategy in FullFineTuning LinearProbe BitFit LoRA IA3 Adapter "Compacter --model.strategy.reduction_factor 16"; do
  name=${strategy%% *}
  rate=2e-3
  [ "$name" = FullFineTuning ] && rate=1e-4
  # shellcheck disable=SC2086  the strategy may carry an option
  robust-tuning fit "${source[@]}" --config "$folder/shifts.yaml" --run "$folder/$name" \
    --data.train_limit 400 --data.batch_size 40 \
    --model.backbone.name vit_tiny_patch16_224 --model.backbone.pretrained "$weights" \
    --model.backbone.image_size 96 --model.strategy $strategy --model.lr "$rate" \
    --model.lr_scheduler CosineDecay --model.lr_scheduler.warmup_steps 5 --trainer.max_epochs 6 \
    --adversarial.n 120 --adversarial.eps "[0.25/255, 0.5/255]" \
    --adversarial.schedule "{preset: null, steps: [6, 12, 25, 40]}"
done
robust-tuning frontier "$folder"
