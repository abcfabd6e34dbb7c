package dev.wok.emit.x86;

/// What an instruction works on.
public sealed interface Operand permits Reg, Vec, Mask, Mem, Imm {}
