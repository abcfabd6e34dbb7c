"""Writes types.gguf: a tensor of each type that Wok reads, of random blocks, beside it what the gguf package makes of
it, and a metadata value of each type. Run with gguf 0.19 and numpy: python make.py types.gguf"""
import sys

import numpy
from gguf import GGMLQuantizationType as Type, GGUFValueType as Value, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}

rng = numpy.random.default_rng(7)
writer = GGUFWriter(sys.argv[1], "test")
writer.add_custom_alignment(64)
for value_type, value in [
    (Value.UINT8, 200), (Value.INT8, -100), (Value.UINT16, 60000), (Value.INT16, -30000), (Value.UINT32, 4000000000),
    (Value.INT32, -2000000000), (Value.UINT64, 9000000000000000000), (Value.INT64, -9000000000000000000),
    (Value.FLOAT32, 0.1), (Value.FLOAT64, 0.1), (Value.BOOL, True), (Value.STRING, "Größe 字 😀"),
]:
    writer.add_key_value("one." + value_type.name, value, value_type)
writer.add_array("many.INT32", [1, -2, 3])
writer.add_array("many.FLOAT32", [0.5, -0.25])
writer.add_array("many.BOOL", [True, False])
writer.add_array("many.STRING", ["a", "", "é"])
for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K"]:
    elements, size = GGML_QUANT_SIZES[Type[name]]
    blocks = rng.integers(0, 256, (3 * 2 * 256 // elements // (1 if elements > 32 else 4), size), numpy.uint8)
    if elements == 1:
        values = rng.standard_normal(blocks.shape[0]).astype(numpy.float32)
        if name == "F32":
            blocks = values
        elif name == "F16":
            blocks = values.astype(numpy.float16)
        else:
            blocks = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
        blocks = blocks.view(numpy.uint8).reshape(-1, size)
    for at in HALVES.get(name, []):
        scales = rng.standard_normal(len(blocks)).astype(numpy.float16)
        blocks[:, at : at + 2] = scales.view(numpy.uint8).reshape(-1, 2)
    data = blocks.reshape(3, -1)
    if name == "F32":
        expected = data.view(numpy.float32)
    elif name == "F16":
        expected = data.view(numpy.float16).astype(numpy.float32)
    else:
        expected = dequantize(data, Type[name])
    writer.add_tensor(name, data, raw_dtype=Type[name])
    writer.add_tensor(name + ".expected", expected)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
