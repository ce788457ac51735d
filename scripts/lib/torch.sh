# Sourced by scripts/test: brings PyTorch for the tests of fine-tuning where all of them have to run.

TORCH=2.13.0

# use_torch: where CI=true, installs PyTorch unless it is there. Elsewhere those tests are skipped without it, and say why.
# Of what it needs, requirements/dev.txt pins what a build for the CPU does; a build for GPUs would want gigabytes more.
use_torch() {
  [ "${CI:-}" = true ] || return 0
  python -c 'import torch' 2>/dev/null && return
  echo "installing PyTorch $TORCH for the tests of fine-tuning"
  python -m pip install --quiet --disable-pip-version-check --no-deps "torch==$TORCH" 2> >(quiet_pip)
  python -c 'import torch' || echo "it does not load; the tests that need it fail" >&2
}
