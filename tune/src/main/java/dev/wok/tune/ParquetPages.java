package dev.wok.tune;

import dev.hardwood.metadata.ColumnChunk;
import dev.hardwood.metadata.ColumnMetaData;
import dev.hardwood.metadata.FileMetaData;
import dev.hardwood.metadata.RowGroup;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/// Checks the pages of a Parquet file before they are read: their headers are to follow each other to
/// the end of their column and to have as many values as it. A reader that believes other headers looks
/// for the rest without end.
///
/// A header is a struct in Thrift's compact protocol: fields of a type and a number, and a zero. Of a
/// page's (`parquet.thrift`), 2 and 3 are its sizes, and 5 and 8 hold as 1 the number of values of a
/// data page.
final class ParquetPages {
    /// Headers may hold a column's least and greatest text; nearly all are far shorter.
    private static final int USUAL_HEADER = 1 << 12;

    private static final int LONGEST_HEADER = 1 << 22;
    private static final int LARGEST_PAGE = 1 << 30;
    private static final int DEEPEST = 16;

    private static final int BYTE = 3;
    private static final int I16 = 4;
    private static final int I32 = 5;
    private static final int I64 = 6;
    private static final int DOUBLE = 7;
    private static final int BINARY = 8;
    private static final int LIST = 9;
    private static final int SET = 10;
    private static final int STRUCT = 12;

    private final ByteBuffer bytes;
    private long uncompressed = -1;
    private long compressed = -1;
    private long values;

    private ParquetPages(ByteBuffer bytes) {
        this.bytes = bytes;
    }

    /// @throws BadInput where pages and columns contradict each other
    static void check(Path file, ParquetBytes source, FileMetaData metadata) throws IOException {
        for (RowGroup group : metadata.rowGroups()) {
            for (ColumnChunk column : group.columns()) {
                check(file, source, column.metaData());
            }
        }
    }

    private static void check(Path file, ParquetBytes source, ColumnMetaData column) throws IOException {
        Long dictionary = column.dictionaryPageOffset();
        long at = column.dataPageOffset();
        if (dictionary != null && dictionary > 0 && dictionary < at) {
            at = dictionary;
        }
        long end = at + column.totalCompressedSize();
        boolean holds = at > 0 && end >= at && end <= source.length();
        long found = 0;
        while (holds && at < end) {
            ParquetPages page = new ParquetPages(source.readRange(at, (int) Math.min(USUAL_HEADER, end - at)));
            holds = page.read();
            if (!holds) {
                page = new ParquetPages(source.readRange(at, (int) Math.min(LONGEST_HEADER, end - at)));
                holds = page.read();
            }
            at += page.bytes.position() + page.compressed;
            holds &= at <= end;
            found += page.values;
        }
        if (!holds || found != column.numValues()) {
            throw ParquetRows.damaged(
                    file, "the pages of column %s do not fit it".formatted(column.pathInSchema()), null);
        }
    }

    /// @return whether it is a page's header
    private boolean read() {
        try {
            struct(0, 0);
        } catch (BufferUnderflowException | IllegalArgumentException | ArithmeticException e) {
            return false;
        }
        return uncompressed >= 0 && uncompressed <= LARGEST_PAGE && compressed >= 0 && values >= 0;
    }

    /// @param parent the number of the field that this struct is, 0 for the header
    private void struct(int depth, int parent) {
        if (depth > DEEPEST) {
            throw new IllegalArgumentException();
        }
        int field = 0;
        for (int head = bytes.get(); head != 0; head = bytes.get()) {
            int delta = (head & 0xF0) >> 4;
            field = delta == 0 ? (int) zigzag() : field + delta;
            int type = head & 0xF;
            if (type == I32) {
                number(depth, parent, field, zigzag());
            } else {
                skip(type, depth, field);
            }
        }
    }

    private void number(int depth, int parent, int field, long number) {
        if (depth == 0 && field == 2) {
            uncompressed = number;
        } else if (depth == 0 && field == 3) {
            compressed = number;
        } else if (depth == 1 && field == 1 && (parent == 5 || parent == 8)) {
            values = number;
        }
    }

    /// Truth values have no bytes but the field's.
    private void skip(int type, int depth, int field) {
        switch (type) {
            case 1, 2 -> {}
            case BYTE -> bytes.get();
            case I16, I32, I64 -> zigzag();
            case DOUBLE -> forward(Double.BYTES);
            case BINARY -> forward(length());
            case LIST, SET -> {
                int head = bytes.get();
                long size = (head & 0xF0) == 0xF0 ? length() : (head & 0xF0) >> 4;
                for (long i = 0; i < size; i++) {
                    element(head & 0xF, depth);
                }
            }
            case STRUCT -> struct(depth + 1, depth == 0 ? field : 0);
            default -> throw new IllegalArgumentException();
        }
    }

    private void element(int type, int depth) {
        if (type <= 2) {
            bytes.get();
        } else if (depth < DEEPEST) {
            skip(type, depth + 1, 0);
        } else {
            throw new IllegalArgumentException();
        }
    }

    private void forward(long count) {
        bytes.position(Math.toIntExact(bytes.position() + count));
    }

    /// A length has all 64 bits of its number where a file is damaged: it would lead backwards.
    private long length() {
        long value = variable();
        if (value < 0) {
            throw new IllegalArgumentException();
        }
        return value;
    }

    private long variable() {
        long value = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte next = bytes.get();
            value |= (next & 0x7FL) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new IllegalArgumentException();
    }

    private long zigzag() {
        long value = variable();
        return value >>> 1 ^ -(value & 1);
    }
}
