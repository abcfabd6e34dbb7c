#!/bin/sh
# Measures Wok and llama.cpp 0.5 one after the other, three rounds, on models of one shape with random weights.
#
#   bench/llama/beside.sh [PRESET [THREADS]]      small and all processors
#
# Needs gcc, npm (whose registry has llama.cpp built for the usual processors) and a Python with the module gguf (PYTHON).
# Models and libraries are kept in target/llama. Wok's int4 stands beside Q4_0, int8 beside Q8_0, bf16 beside BF16.
preset=${1:-small}
threads=${2:-$(nproc)}
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.." || exit 1
work=$PWD/target/llama
libraries=$work/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64
mkdir -p "$work"
[ -d "$libraries" ] || npm install --prefix "$work" --ignore-scripts --no-audit @node-llama-cpp/linux-x64@3.22.1 || exit 1
gcc -O2 -o "$work/measure" "$here/measure.c" -L"$libraries" -l:libllama.v0.5.0.so -l:libggml.v0.5.0.so \
  -Wl,-rpath,"$libraries" || exit 1
for pair in int4:q4_0 int8:q8_0 bf16:bf16; do
  ours=$preset-${pair%:*}
  theirs=$preset-${pair#*:}.gguf
  [ -d "$work/$ours" ] || ./wok bench make-model --preset "$preset" --weights "${pair%:*}" --out "$work/$ours" || exit 1
  [ -f "$work/$theirs" ] || "${PYTHON:-python3}" "$here/random_gguf.py" "$preset" "${pair#*:}" "$work/$theirs" || exit 1
  for round in 1 2 3; do
    echo "$theirs: $("$work/measure" "$work/$theirs" "$threads" 3 "$libraries")"
    ./wok bench generate --model "$work/$ours" --threads "$threads" 2>/dev/null | sed -n "s/^\(prefill\|decode_[0-9]* \)/$ours: &/p"
  done
done
