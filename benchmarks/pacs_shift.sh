#!/usr/bin/env bash
# From photographs to art, cartoons and sketches: four strategies on PACS with a real ViT-Tiny, on a CPU.
#
#   benchmarks/pacs_shift.sh ROOT WEIGHTS.safetensors [FOLDER]
#
# ROOT holds photo/, art_painting/, cartoon/ and sketch/; WEIGHTS.safetensors are timm's vit_tiny_patch16_224. As in the
# study, the test images of every domain are measured while the model is trained on photographs; nothing is chosen by them.
set -euo pipefail
root=$1 weights=$2 folder=${3:-runs/pacs}

for strategy in FullFineTuning LinearProbe BitFit LoRA; do
  rate=2e-3
  [ "$strategy" = FullFineTuning ] && rate=1e-4
  robust-tuning fit --config configs/domain_folders.yaml --config configs/shifts/domains.yaml \
    --run "$folder/$strategy" --data.root "$root" --data.batch_size 32 --data.num_workers 0 --data.cache ram \
    --model.backbone.name vit_tiny_patch16_224 --model.backbone.pretrained "$weights" \
    --model.backbone.image_size 128 --model.strategy "$strategy" --model.lr "$rate" \
    --model.lr_scheduler CosineDecay --model.lr_scheduler.warmup_steps 5 --trainer.max_epochs 8 \
    --adversarial.split test --adversarial.n 140 --adversarial.eps "[0.25/255]" \
    --adversarial.schedule "{preset: null, start: false}" --ood.n all \
    --ood.schedule "{preset: null, steps: [2, 4, 8, 12, 16, 24, 32, 48]}"
done
robust-tuning frontier "$folder"
