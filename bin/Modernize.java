import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFile.ClassHierarchyResolverOption;
import java.lang.classfile.ClassFile.StackMapsOption;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.MethodTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/// Writes a jar again, its classes in the format of Java 8 where they are older: those have no stack maps, so Java loads
/// and checks them slowly and keeps them out of its cache of classes.
///
/// `java Modernize.java JAR`
class Modernize {
    private static final int WITH_STACK_MAPS = ClassFile.JAVA_8_VERSION;

    public static void main(String[] args) throws IOException {
        Path jar = Path.of(args[0]);
        Path beside = Path.of(jar + ".new");
        try (URLClassLoader classes = new URLClassLoader(new URL[] {jar.toUri().toURL()});
                ZipInputStream in = new ZipInputStream(Files.newInputStream(jar));
                ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(beside))) {
            ClassFile format = ClassFile.of(
                    StackMapsOption.GENERATE_STACK_MAPS,
                    ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(classes)));
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                byte[] content = in.readAllBytes();
                out.putNextEntry(new ZipEntry(entry.getName()));
                out.write(entry.getName().endsWith(".class") ? modern(format, content) : content);
                out.closeEntry();
            }
        }
        Files.move(beside, jar, StandardCopyOption.REPLACE_EXISTING);
    }

    private static byte[] modern(ClassFile format, byte[] content) {
        ClassModel old = format.parse(content);
        if (old.majorVersion() >= WITH_STACK_MAPS) {
            return content;
        }
        ClassTransform code = ClassTransform.transformingMethods(MethodTransform.transformingCode(CodeBuilder::with));
        return format.transformClass(old, code.andThen((to, element) -> {
            to.with(element instanceof ClassFileVersion ? ClassFileVersion.of(WITH_STACK_MAPS, 0) : element);
        }));
    }
}
