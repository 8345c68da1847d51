// Fails where the generated types of schema.ts hold an `any` or an `unknown`: there the document says too little.
import { readFileSync } from "node:fs";
import ts from "typescript";

const source = ts.createSourceFile("schema.ts", readFileSync("schema.ts", "utf8"), ts.ScriptTarget.Latest, true);

/** openapi-typescript lets every answer have more headers than the document names, whatever that says. */
function isMoreHeaders(node) {
  const { parent } = node;
  return ts.isIndexSignatureDeclaration(parent) && parent.parent.parent.name?.getText() === "headers";
}

let types = 0;
let holes = 0;
function visit(node) {
  if (ts.isTypeNode(node)) types += 1;
  if (node.kind === ts.SyntaxKind.AnyKeyword || (node.kind === ts.SyntaxKind.UnknownKeyword && !isMoreHeaders(node))) {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    console.error(`schema.ts:${line + 1}: ${node.parent.getText()}`);
    holes += 1;
  }
  ts.forEachChild(node, visit);
}
visit(source);
console.log(`   ${types} types, ${holes} of them any or unknown`);
process.exit(holes === 0 && types > 100 ? 0 : 1);
