/// Numbers in memory: tensors over memory segments, element types, seeded random numbers, the safetensors and GGUF file
/// formats.
@org.jspecify.annotations.NullMarked
module wok.tensor {
    requires static transitive org.jspecify;
    requires transitive wok.notice;
    requires tools.jackson.databind;

    exports dev.wok.tensor;
}
