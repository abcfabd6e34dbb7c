package dev.wok.tune;

import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.row.PqList;
import dev.hardwood.row.PqMap;
import dev.hardwood.row.PqStruct;
import dev.hardwood.row.StructAccessor;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/// The rows of a Parquet file, as the Hugging Face Hub stores data sets: lists, structs and maps of any
/// depth.
final class ParquetRows {
    /// Held, since a logger that nothing holds forgets its level.
    private static final Logger LOGGER = Logger.getLogger("dev.hardwood");

    static {
        LOGGER.setLevel(Level.WARNING);
        // It would look for a library of the system, for which the virtual machine warns.
        System.setProperty("hardwood.uselibdeflate", "false");
    }

    private ParquetRows() {}

    /// @throws BadInput where the file cannot be read
    static void read(Path file, Records.Sink sink) {
        try (ParquetFileReader reader = open(file);
                RowReader rows = rows(file, reader)) {
            for (long number = 1; hasNext(file, rows); number++) {
                sink.take("%s: row %d".formatted(file, number), next(file, rows));
            }
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static ParquetFileReader open(Path file) throws IOException {
        try {
            ParquetBytes source = new ParquetBytes(file);
            ParquetFileReader reader = ParquetFileReader.open(source);
            try {
                ParquetPages.check(file, source, reader.getFileMetaData());
            } catch (IOException | RuntimeException e) {
                reader.close();
                throw e;
            }
            return reader;
        } catch (BadInput | FileSystemException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw damaged(file, e);
        }
    }

    private static RowReader rows(Path file, ParquetFileReader reader) {
        try {
            return reader.rowReader();
        } catch (RuntimeException e) {
            throw damaged(file, e);
        }
    }

    private static boolean hasNext(Path file, RowReader rows) {
        try {
            return rows.hasNext();
        } catch (RuntimeException e) {
            throw damaged(file, e);
        }
    }

    private static Map<String, @Nullable Object> next(Path file, RowReader rows) {
        try {
            rows.next();
            return fields(rows);
        } catch (RuntimeException e) {
            throw damaged(file, e);
        }
    }

    private static BadInput damaged(Path file, Exception e) {
        return damaged(file, String.valueOf(e.getMessage()), e);
    }

    static BadInput damaged(Path file, String why, @Nullable Exception cause) {
        return new BadInput("%s is no Parquet file that can be read: %s. Is it complete?".formatted(file, why), cause);
    }

    private static Map<String, @Nullable Object> fields(StructAccessor struct) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        for (int i = 0; i < struct.getFieldCount(); i++) {
            fields.put(struct.getFieldName(i), value(struct.getValue(i)));
        }
        return fields;
    }

    private static @Nullable Object value(@Nullable Object value) {
        return switch (value) {
            case PqStruct struct -> fields(struct);
            case PqList list -> {
                List<@Nullable Object> items = new ArrayList<>();
                for (int i = 0; i < list.size(); i++) {
                    items.add(value(list.get(i)));
                }
                yield items;
            }
            case PqMap map -> {
                Map<String, @Nullable Object> entries = new LinkedHashMap<>();
                for (PqMap.Entry entry : map.getEntries()) {
                    entries.put(String.valueOf(entry.getKey()), value(entry.getValue()));
                }
                yield entries;
            }
            case null -> null;
            default -> value;
        };
    }
}
