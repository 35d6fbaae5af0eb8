/**
 * What a mutant is: one check that always holds or never does, one call that is left out, one permission that is not
 * given. All mutants of a file are written into its text at once, each behind a switch of its own; `&&` and `||` lose
 * one operand at a time, since all of it together could not fail without that. Knows TypeScript, no tests.
 */
import ts from 'typescript';

/** The switch: a function of a mutant's number that says whether it is on. */
export const SWITCH = 'globalThis.isMutant';

/** The text with its mutants in it, numbered from `first`, and what they are. */
export function mutate(file, text, first) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const mutants = [];

  /** The condition that holds where a mutant of that kind is on. */
  function mutant(node, kind) {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    const id = first + mutants.length;
    mutants.push({ id, file, line, kind, text: node.getText(source).replace(/\s+/g, ' ').slice(0, 120) });
    return `${SWITCH}(${id})`;
  }

  function written(node) {
    if (ts.isTypeNode(node) || ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) return asItWas(node);
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression) && !isSuper(node.expression)) {
      return `{ if (!${mutant(node, 'left out')}) { ${inside(node)} } }`;
    }
    if (ts.isReturnStatement(node) && node.expression !== undefined) return writtenReturn(node);
    if (!ts.isExpression(node)) return inside(node);
    const constants = constantsOf(node).map((value) => `${mutant(node, value)} ? ${value} : `);
    return constants.length === 0 ? inside(node) : `(${constants.join('')}(${inside(node)}))`;
  }

  function writtenReturn(node) {
    const of = functionOf(node);
    const type = ts.isGetAccessor(of) ? undefined : typeOf(of);
    if (type === 'void') return `{ if (!${mutant(node, 'left out')}) ${written(node.expression)}; return; }`;
    const isNothing = node.expression.getText(source) === 'undefined' || ts.isSatisfiesExpression(node.expression);
    if (isNothing || !/\| undefined$/.test(type ?? '')) return inside(node);
    return `{ if (${mutant(node, 'undefined')}) return undefined; ${inside(node)} }`;
  }

  function inside(node) {
    let result = '';
    let at = node.getStart(source);
    ts.forEachChild(node, (child) => {
      const start = child.getStart(source);
      if (start < at) return;
      result += text.slice(at, start) + written(child);
      at = child.end;
    });
    return result + text.slice(at, node.end);
  }

  const asItWas = (node) => text.slice(node.getStart(source), node.end);
  const typeOf = (of) => of?.type?.getText(source);

  /** What the expression becomes where its check is gone, or never holds. */
  function constantsOf(node) {
    if (isConstant(node) || ts.isParenthesizedExpression(node) || ts.isConditionalExpression(node)) return [];
    const operator = operatorOf(node);
    const within = operatorOf(outerOf(node));
    const ofOperand = within === undefined ? [] : [within === '&&' ? 'true' : 'false'];
    if (within === operator && operator !== undefined) return [];
    if (!isCondition(node)) return isOperand(node, within) ? ofOperand : [];
    if (operator !== undefined) return [operator === '&&' ? 'false' : 'true'];
    return within === undefined ? ['true', 'false'] : ofOperand;
  }

  /** Whether the value of an operand is a check: the last one of an expression that is none is what it comes to. */
  function isOperand(node, within) {
    const outer = outerOf(node);
    return within !== undefined && (isCondition(outer) || isWithin(node, outer.left));
  }

  function isCondition(node) {
    const { parent } = node;
    if (ts.isParenthesizedExpression(parent) || operatorOf(parent) !== undefined) return isCondition(parent);
    if (ts.isIfStatement(parent)) return parent.expression === node;
    if (ts.isConditionalExpression(parent)) return parent.condition === node || isCondition(parent);
    if (ts.isReturnStatement(parent)) return typeOf(functionOf(parent)) === 'boolean' || isTest(functionOf(parent));
    if (ts.isArrowFunction(parent)) return parent.body === node && (typeOf(parent) === 'boolean' || isTest(parent));
    if (!ts.isVariableDeclaration(parent) || parent.initializer !== node) return false;
    return /^(is|has|may|can|lacks)[A-Z]/.test(parent.name.getText(source));
  }

  const code = text.slice(0, source.getStart(source)) + inside(source) + text.slice(source.end);
  return { code, mutants };
}

/** `&&` or `||`. */
function operatorOf(node) {
  if (node === undefined || !ts.isBinaryExpression(node)) return undefined;
  const operator = node.operatorToken.getText();
  return operator === '&&' || operator === '||' ? operator : undefined;
}

function outerOf({ parent }) {
  return ts.isParenthesizedExpression(parent) ? outerOf(parent) : parent;
}

function isWithin(node, outer) {
  return node.pos >= outer.pos && node.end <= outer.end;
}

/** A function that says which elements are meant. */
function isTest(node) {
  const call = node?.parent;
  return (
    call !== undefined && ts.isCallExpression(call) && /\.(some|every|filter|find)$/.test(call.expression.getText())
  );
}

function functionOf(node) {
  return ts.findAncestor(node.parent, ts.isFunctionLike);
}

function isSuper(call) {
  return call.expression.kind === ts.SyntaxKind.SuperKeyword;
}

function isConstant({ kind }) {
  return kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword;
}
