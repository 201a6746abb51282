/**
 * Which options objects do users hand to Belfry? Found by the type checker: every parameter of every function, method and
 * constructor that the package exports (and of what these give back), and the objects inside them. So an options object
 * that is added later is found without being listed, and its test is missed.
 */
import { join } from "node:path";
import type { Node } from "typescript/unstable/ast";
import { isMappedTypeNode, isParameterDeclaration } from "typescript/unstable/ast/is";
import {
  API,
  type Checker,
  type Symbol as Declared,
  type Project,
  SignatureKind,
  SymbolFlags,
  type Type,
  TypeFlags,
} from "typescript/unstable/sync";
import { readJson, root } from "../../house/source.ts";

/** An options object: where it is taken, and what each of its options may be. */
export interface FoundOptions {
  /** Name of its type, or place of a nameless one: `BelfryOptions`, `BelfryOptions.retention`. */
  name: string;
  /** Where it is taken: `Belfry.tick(options)`. */
  places: Set<string>;
  options: FoundOption[];
}

/** One option of an options object. */
export interface FoundOption {
  name: string;
  required: boolean;
  /** Kinds of values that its type takes. */
  kinds: Set<ValueKind>;
}

/** What a value may be. */
export type ValueKind = "string" | "number" | "boolean" | "null" | "object" | "array" | "function" | "anything";

/** What adapters implement and Belfry calls: its requests are made by Belfry itself. */
const PORT: ReadonlySet<string> = new Set(["Storage", "SqlStorage"]);
/** What Belfry makes for itself. */
const OWN: ReadonlySet<string> = new Set(["Engine"]);

/** Finds them; takes a few seconds, since the whole program is checked. */
export function findOptions(): FoundOptions[] {
  const api = new API({ cwd: root });
  try {
    const config = join(root, "tsconfig.json");
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)!;
    return new Finder(project).find();
  } finally {
    api.close();
  }
}

class Finder {
  readonly #project: Project;
  readonly #checker: Checker;
  readonly #found = new Map<string, FoundOptions>();
  readonly #seen = new Set<number>();
  /** The file in which the type of a name was found first. */
  readonly #owners = new Map<string, string>();

  constructor(project: Project) {
    this.#project = project;
    this.#checker = project.checker;
  }

  find(): FoundOptions[] {
    for (const path of Object.values(readJson<{ exports: Record<string, string> }>("deno.json").exports)) {
      const file = this.#project.program.getSourceFile(join(root, path))!;
      const module = this.#checker.getSymbolAtLocation(file)!;
      for (const exported of this.#checker.getExportsOfModule(module)) {
        const symbol = exported.flags & SymbolFlags.Alias ? this.#checker.getAliasedSymbol(exported) : exported;
        if (symbol.flags & SymbolFlags.Value) this.#callable(this.#checker.getTypeOfSymbol(symbol)!, symbol.name);
      }
    }
    return [...this.#found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Looks into what can be called: its parameters, and what it gives back. */
  #callable(type: Type, name: string): void {
    for (const kind of [SignatureKind.Call, SignatureKind.Construct]) {
      for (const signature of this.#checker.getSignaturesOfType(type, kind)) {
        for (const parameter of signature.getParameters()) {
          // Arguments that depend on the task have no name of their own.
          const role = /^__\d|^rest$/.test(parameter.name) ? "options" : parameter.name;
          const type = this.#elementOf(parameter) ?? this.#checker.getTypeOfSymbol(parameter)!;
          this.#taken(type, `${name}(${role})`, role);
        }
        this.#given(this.#checker.getReturnTypeOfSignature(signature), name);
      }
    }
  }

  /** What a list takes whose entries are typed one by one: the type behind `in keyof Inputs`. */
  #elementOf(parameter: Declared): Type | undefined {
    const declaration = parameter.valueDeclaration?.resolve(this.#project);
    let element: Type | undefined;
    const look = (node: Node): void => {
      if (isMappedTypeNode(node) && node.type) element ??= this.#checker.getTypeFromTypeNode(node.type);
      else node.forEachChild(look);
    };
    if (declaration && isParameterDeclaration(declaration) && declaration.type) look(declaration.type);
    return element;
  }

  /** Looks into what a call gives back: the methods of a handle. */
  #given(type: Type | undefined, name: string): void {
    if (!type || this.#seen.has(type.id)) return;
    this.#seen.add(type.id);
    if (PORT.has(type.getSymbol()?.name ?? "")) return;
    for (const argument of type.isTypeReference() ? this.#checker.getTypeArguments(type) : [])
      this.#given(argument, name);
    if (type.isUnionType()) for (const part of type.getTypes()) this.#given(part, name);
    const symbol = type.getSymbol();
    if (!symbol || !isOurs(symbol)) return;
    for (const property of this.#checker.getPropertiesOfType(type)) {
      const value = this.#checker.getTypeOfSymbol(property);
      const internal = property.getJsDocTags(this.#checker).some((tag) => tag.name === "internal");
      if (!value || internal || property.name.includes("#")) continue;
      this.#callable(value, `${symbol.name}.${property.name}`);
      this.#given(value, `${symbol.name}.${property.name}`);
    }
  }

  #taken(type: Type, place: string, role: string): void {
    if (type.isUnionType()) {
      for (const part of type.getTypes()) this.#taken(part, place, role);
      return;
    }
    if (this.#checker.isArrayType(type) || this.#checker.isTupleType(type)) {
      for (const element of this.#checker.getTypeArguments(type as never)) this.#taken(element, place, role);
      return;
    }
    if (type.isConditionalType() || type.isTypeParameter()) {
      // Arguments that depend on the task: with and without an input.
      const branches = type.isConditionalType() ? [type.getTrueType(), type.getFalseType()] : [];
      const constraint = this.#checker.getBaseConstraintOfType(type);
      for (const branch of branches.length > 0 ? branches : [constraint]) {
        if (branch && branch.id !== type.id) this.#taken(branch, place, role);
      }
      return;
    }
    if (this.#checker.getSignaturesOfType(type, SignatureKind.Call).length > 0) {
      // A handler: what it is given are our objects, with methods that take options.
      for (const signature of this.#checker.getSignaturesOfType(type, SignatureKind.Call)) {
        for (const parameter of signature.getParameters()) this.#given(this.#checker.getTypeOfSymbol(parameter), place);
      }
      return;
    }
    if (!type.isObjectType() && !type.isIntersectionType()) return;
    const parts: readonly Type[] = type.isIntersectionType() ? type.getTypes() : [type];
    const symbols = [type.getAliasSymbol(), ...parts.flatMap((part) => [part.getAliasSymbol(), part.getSymbol()])];
    const symbol = symbols.find((one) => one !== undefined && isOurs(one));
    const properties = this.#checker.getPropertiesOfType(type);
    // A nameless `Omit` or `Pick` of ours has our properties.
    if (!symbol && !properties.some(isOurs)) return;
    if (symbol && OWN.has(symbol.name)) return;
    if (properties.length === 0 || (symbol && symbol.flags & SymbolFlags.Class) || this.#isService(properties)) return;
    const name = symbol === undefined || symbol.name.startsWith("__") ? place : this.#nameOf(symbol);
    const known = this.#found.get(name);
    // What is tested of a class holds for those that extend it.
    const told = place.replace(/^TestEngine\./, "Belfry.");
    if (known) {
      known.places.add(told);
      return;
    }
    this.#found.set(name, { name, places: new Set([told]), options: [] });
    const options = properties.map((property): FoundOption => {
      const value = this.#checker.getTypeOfSymbol(property)!;
      this.#taken(value, `${name}.${property.name}`, property.name);
      const kinds = new Set<ValueKind>();
      this.#kinds(value, kinds);
      return { name: property.name, required: (property.flags & SymbolFlags.Optional) === 0, kinds };
    });
    this.#found.get(name)!.options = options;
  }

  /** The type's name; with its file where another type of that name was found before. */
  #nameOf(symbol: Declared): string {
    const path = symbol.declarations[0]!.path.slice(root.length).replace(/^\//, "");
    const owner = this.#owners.get(symbol.name) ?? path;
    this.#owners.set(symbol.name, owner);
    return owner === path ? symbol.name : `${symbol.name} of ${path}`;
  }

  /** Whether it does something for Belfry (a clock, a storage, a client of a database) or stands for an instant. */
  #isService(properties: readonly Declared[]): boolean {
    if (properties.some(({ name }) => name === "epochMilliseconds")) return true;
    return properties.every((property) => {
      const type = this.#checker.getTypeOfSymbol(property)!;
      return this.#checker.getSignaturesOfType(type, SignatureKind.Call).length > 0;
    });
  }

  #kinds(type: Type, kinds: Set<ValueKind>): void {
    const { flags } = type;
    if (type.isUnionType()) for (const part of type.getTypes()) this.#kinds(part, kinds);
    else if (type.isConditionalType())
      for (const part of [type.getTrueType(), type.getFalseType()]) this.#kinds(part, kinds);
    else if (flags & TypeFlags.Never) return;
    else if (flags & TypeFlags.StringLike) kinds.add("string");
    else if (flags & TypeFlags.NumberLike) kinds.add("number");
    else if (flags & TypeFlags.BooleanLike) kinds.add("boolean");
    else if (flags & TypeFlags.Null) kinds.add("null");
    else if (flags & TypeFlags.Undefined) return;
    else if (this.#checker.isArrayType(type) || this.#checker.isTupleType(type)) kinds.add("array");
    else if (this.#checker.getSignaturesOfType(type, SignatureKind.Call).length > 0) kinds.add("function");
    else if (flags & TypeFlags.Object || type.isIntersectionType()) kinds.add("object");
    else kinds.add("anything");
  }
}

/** Whether a symbol is declared in the product's own source. */
function isOurs(symbol: Declared): boolean {
  return symbol.declarations.some(
    ({ path }) => /\/(src|adapters)\/|\/mod\.ts$/.test(path) && !path.includes("node_modules"),
  );
}
