#!/usr/bin/env bash
# Seven strategies on a few hundred real CIFAR-10 images with a real ViT-Tiny at 96 px, on a CPU.
#
#   benchmarks/cifar_subset.sh IMAGES.npz WEIGHTS.safetensors [FOLDER]
#
# IMAGES.npz holds x_train, y_train, x_test, y_test (uint8, 32x32 RGB); WEIGHTS.safetensors are timm's
# vit_tiny_patch16_224. Full fine-tuning gets a tenth of the learning rate or less, as in the study.
set -euo pipefail
images=$1 weights=$2 folder=${3:-runs/cifar-subset}

for strategy in FullFineTuning LinearProbe BitFit LoRA IA3 Adapter \
  "Compacter --model.strategy.reduction_factor 16"; do
  name=${strategy%% *}
  rate=2e-3
  [ "$name" = FullFineTuning ] && rate=1e-4
  # shellcheck disable=SC2086  the strategy may carry an option
  robust-tuning fit --config configs/image_arrays.yaml --run "$folder/$name" \
    --data.path "$images" --data.train_limit 400 --data.batch_size 40 \
    --model.backbone.name vit_tiny_patch16_224 --model.backbone.pretrained "$weights" \
    --model.backbone.image_size 96 --model.strategy $strategy --model.lr "$rate" \
    --model.lr_scheduler CosineDecay --model.lr_scheduler.warmup_steps 5 --trainer.max_epochs 6 \
    --adversarial.n 200 --adversarial.eps "[0.25/255, 0.5/255, 1/255]" \
    --adversarial.schedule.preset null --adversarial.schedule.steps "[5, 10, 20, 40]"
done
robust-tuning frontier "$folder"
