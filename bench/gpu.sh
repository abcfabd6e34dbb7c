#!/bin/sh
# Tests and measures the PTX kernels on this machine's GPU: the driver's tests, the contract tests on the chip with the
# emulator's bits beside them, and a table of speeds. The machine needs an NVIDIA driver and nothing else, when it was
# given a pack: what was built elsewhere, and a small Java. Where python3 has torch, its figures stand beside.
#
#   bench/gpu.sh pack      here: builds bench/.gpu.tgz, about 45 MiB, to travel with the folder
#   bench/gpu.sh           there: unpacks and runs all of it, some ten minutes
#   bench/gpu.sh tests     there: only the tests
#   bench/gpu.sh speed     there: only the speeds
#
# The table is Markdown, for docs/log.
root=$(dirname "$(readlink -f "$0")")/..
cd "$root" || exit 1
pack=target/gpu
what=${1:-all}

if [ "$what" = pack ]; then
  JAVA_HOME=$(bin/jdk25) || exit 2
  rm -rf $pack && mkdir -p $pack/lib || exit 1
  bin/mvn -q -Dfast -Dmaven.test.skip=true -pl cli -am package || exit 1
  cp -r cli/target/fast/lib $pack/wok || exit 1
  bin/mvn -q -Dfast -pl model -am test-compile dependency:copy-dependencies -DincludeScope=test \
    -DexcludeGroupIds=dev.wok,org.junit.jupiter,org.junit.platform -DoutputDirectory="$PWD/$pack/lib" || exit 1
  bin/mvn -q -Dfast -N dependency:copy -Dartifact=org.junit.platform:junit-platform-console-standalone:6.1.3 \
    -DoutputDirectory="$PWD/$pack/lib" || exit 1
  for room in notice tensor emit device kernel model testkit; do
    cp -r $room/target/fast/classes $pack/$room || exit 1
    [ -d $room/target/fast/test-classes ] && cp -r $room/target/fast/test-classes $pack/$room-tests
  done
  "$JAVA_HOME/bin/jlink" --output $pack/java --strip-debug --no-header-files --no-man-pages --compress zip-9 \
    --add-modules java.base,java.logging,java.management,java.xml,jdk.management,jdk.jfr,jdk.incubator.vector,jdk.unsupported,jdk.zipfs ||
    exit 1
  tar -C target -czf bench/.gpu.tgz gpu && du -h bench/.gpu.tgz
  exit
fi
case $what in all | tests | speed) ;; *)
  echo "gpu: $what: expected pack, tests, speed or nothing." >&2
  exit 2
  ;;
esac

java=$pack/java/bin/java
if [ -f bench/.gpu.tgz ]; then
  mkdir -p target && tar -C target -xzf bench/.gpu.tgz || exit 1
fi
[ -x $java ] || { echo "gpu: there is no bench/.gpu.tgz; run bench/gpu.sh pack where there is Maven and a JDK 25." >&2; exit 2; }
tests=0
if [ "$what" != speed ]; then
  classes=
  for room in notice tensor emit device kernel model testkit device-tests kernel-tests model-tests; do
    classes=$classes:$pack/$room
  done
  $java --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Xmx8g -Dwok.require=ptx \
    -cp "${classes#:}:$pack/lib/*" org.junit.platform.console.ConsoleLauncher execute --disable-banner --details=tree \
    --select-class=dev.wok.device.cuda.CudaGpuTest --select-class=dev.wok.kernel.PtxTest \
    --select-class=dev.wok.model.EmulatedTest --select-package=dev.wok.kernel.ptx
  tests=$?
fi
[ "$what" = tests ] && exit $tests

wok() {
  $java --add-modules jdk.incubator.vector --enable-native-access=wok.device -Xmx48g -p $pack/wok -m wok.cli/dev.wok.cli.Main "$@"
}
wok doctor
rows=
measure() {
  name=$1
  shift
  if wok bench "$@" --device cuda --json >$pack/$name.json; then
    rows="$rows $pack/$name.json"
  else
    tests=1
  fi
}
measure kernels kernels
measure train train
for weights in bf16 int4; do
  measure v2-lite-$weights generate --preset v2-lite --weights $weights
done
if command -v python3 >/dev/null; then
  python3 bench/peers.py $rows
else
  cat $rows
fi
exit $tests
