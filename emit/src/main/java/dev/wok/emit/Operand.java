package dev.wok.emit;

/// What an instruction works on.
public sealed interface Operand permits Reg, Vec, Mask, Mem, Imm {}
